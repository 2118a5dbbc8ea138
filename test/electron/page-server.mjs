// Serves the example's page as its main process does, over HTTP: node page-server.mjs <folder of the example>
// Prints the address. Ends with its standard input.

import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { CSP, readPageFile } = await import(pathToFileURL(join(process.argv[2], 'page-files.mjs')).href);

const server = createServer(async (request, response) => {
  const file = await readPageFile(new URL(request.url, 'http://page').pathname);
  if (!file) response.writeHead(404).end();
  else response.writeHead(200, { 'content-type': file.type, 'content-security-policy': CSP }).end(file.body);
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/index.html`));
process.stdin.on('close', () => process.exit(0)).resume();
