// The protocol of the drivers that are JavaScript: the task is the last argument, the answer one line of JSON, an error one line of
// stderr.

process.on('uncaughtException', ({ message }) => {
  process.stderr.write(`${message.split('\n')[0]}\n`);
  process.exit(1);
});

export function readTask() {
  return JSON.parse(process.argv.at(-1));
}

export function report(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
