"""Renders conversations with a chat template as Hugging Face's apply_chat_template does.

    python chat_render.py < {"template": "...", "conversations": [[{"role": ..., "content": ...}, ...], ...]}

Prints a list: the text, or null where the template refuses the conversation.
"""

import json
import sys

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment


def refuse(message):
    raise TemplateError(message)


given = json.load(sys.stdin)
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
environment.globals["raise_exception"] = refuse
template = environment.from_string(given["template"])


def render(messages):
    try:
        return template.render(messages=messages, add_generation_prompt=True)
    except TemplateError:
        return None


print(json.dumps([render(messages) for messages in given["conversations"]]))
