"""Downloads one file without running anything in it.

    download.py url ADDRESS OUT            a plain download
    download.py pip PROJECT FILENAME OUT   a file of a project from the package indexes that pip is set up to use

`pip download` would run the setup code of a source distribution to learn its metadata, before anyone could have
verified the file. So the index page is read here and the file is taken as a file. The caller verifies it.
Standard library only. Prints one line on stderr and exits 1 when the file cannot be had.
"""

import html.parser
import os
import re
import shlex
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request

TIMEOUT_SECONDS = 20
MAX_BYTES = 64 << 20


def pip_settings():
    """pip's merged configuration: {"index-url": ..., "extra-index-url": ..., "cert": ...}."""
    settings = {}
    listing = run_pip("config", "list")
    for section in ("global", "download", ":env:"):  # later sections win, as in pip
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section + "."):
                settings[key[len(section) + 1 :]] = shlex.split(value)[0] if value else ""
    return settings


def run_pip(*arguments):
    environment = dict(os.environ, COLUMNS="400", PIP_DISABLE_PIP_VERSION_CHECK="1")
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, timeout=60, env=environment
    )
    return done.stdout if done.returncode == 0 else ""


def default_index():
    """The index that pip uses when nothing is configured, in pip's own words."""
    try:
        from pip._internal.models.index import PyPI

        return PyPI.simple_url
    except (ImportError, AttributeError):
        found = re.search(r"--index-url <url>.*?\(default (\S+?)\)", run_pip("download", "--help"), re.S)
        return found.group(1) if found else None


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.addresses.extend(value for name, value in attrs if name == "href" and value)


def fetch(address, certificates):
    """The bytes behind an http(s) or file address. User and password in it are sent as basic authentication."""
    parts = urllib.parse.urlsplit(address)
    request = urllib.request.Request(address, headers={"Accept": "text/html, */*;q=0.1"})
    if parts.username is not None:
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        user, password = urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")
        passwords.add_password(None, urllib.parse.urlunsplit(bare), user, password, is_authenticated=True)
        request = urllib.request.Request(urllib.parse.urlunsplit(bare), headers=dict(request.headers))
        handlers = [urllib.request.HTTPBasicAuthHandler(passwords)]
    else:
        handlers = []
    context = ssl.create_default_context()
    if certificates:
        context.load_verify_locations(certificates)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), *handlers)
    with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
        content = response.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    return content


def from_pip(project, filename):
    settings = pip_settings()
    certificates = settings.get("cert")
    indexes = [settings.get("index-url") or default_index(), *settings.get("extra-index-url", "").split()]
    reasons = []
    for index in filter(None, indexes):
        page_address = f"{index.rstrip('/')}/{project}/"
        if page_address.startswith("file:"):
            page_address += "index.html"
        try:
            page = Links()
            page.feed(fetch(page_address, certificates).decode("utf-8", "replace"))
            for link in page.addresses:
                address = urllib.parse.urldefrag(urllib.parse.urljoin(page_address, link)).url
                if urllib.parse.unquote(address.rpartition("/")[2]) == filename:
                    return fetch(address, certificates)
            reasons.append("an index does not list it")
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    raise OSError("; ".join(reasons) or "pip names no package index (is pip installed?)")


def main(kind, *arguments):
    *source, out = arguments
    try:
        content = from_pip(*source) if kind == "pip" else fetch(source[0], None)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"{source[-1]}: {error}")
    with open(out, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
