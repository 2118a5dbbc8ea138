// Answers over HTTP: /sse as server-sent events, /text through a web Response. Asks itself both and ends: node server.js [model]

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type Chunk, demoModelPath, type Generation, Model } from 'gpt-neox';

function toBytes(): TransformStream<Chunk, Uint8Array> {
  const encoder = new TextEncoder();
  return new TransformStream({
    transform: (chunk, controller) => controller.enqueue(encoder.encode(chunk.text)),
  });
}

async function* eventsOf(generation: Generation): AsyncGenerator<string> {
  for await (const { text } of generation) if (text !== '') yield `data: ${JSON.stringify({ text })}\n\n`;
  const { finishReason, usage } = await generation.result();
  yield `event: end\ndata: ${JSON.stringify({ finishReason, usage })}\n\n`;
}

async function answer(model: Model, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const question = url.searchParams.get('q') ?? '';
  // A client that goes away stops its generation, also in the middle of a long prompt; a slow one slows it down.
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const generation = model.chat([{ role: 'user', content: question }], { signal: gone.signal });
  if (url.pathname === '/sse') {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    await pipeline(eventsOf(generation), response);
  } else {
    // What a framework of web standards would return as it is.
    const web = new Response(generation.toReadableStream().pipeThrough(toBytes()));
    response.writeHead(web.status, { 'content-type': 'text/plain; charset=utf-8' });
    await pipeline(web.body as ReadableStream<Uint8Array>, response);
  }
}

async function main(path = demoModelPath()): Promise<void> {
  const model = await Model.load(path);
  const server = createServer((request, response) => {
    answer(model, request, response).catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const path of ['/text', '/sse']) {
    const response = await fetch(`${origin}${path}?q=${encodeURIComponent('富士山の高さは?')}`);
    console.log(`${path}: ${await response.text()}`);
  }
  server.close();
  server.closeAllConnections();
  await model.dispose();
}

void main(...process.argv.slice(2));
