// The kinds of ports: a page's and Node's MessagePort, and Electron's MessagePortMain, which is no EventTarget.

/** What every port does. */
export interface AnyPort {
  /** Sends data to the other end. */
  postMessage(message: unknown): void;
  /** Ends the channel, at both ends. */
  close(): void;
  /** Lets messages through. */
  start?(): void;
}

/** A port that is an `EventTarget`: a page's, and Node's. */
export interface EventPort extends AnyPort {
  /** Of messages, and of the end of the channel. */
  addEventListener(type: 'message' | 'close', listener: (event: unknown) => void): void;
}

/** A port that is an `EventEmitter` alone: Electron's `MessagePortMain`, whose listeners get an event with `data`. */
export interface EmitterPort extends AnyPort {
  /** Of messages, and of the end of the channel. */
  // biome-ignore lint/suspicious/noExplicitAny: the listeners' types differ from port to port
  on(type: any, listener: (event: any) => void): unknown;
}

/** One end of a message channel: a `MessagePort` of a page or of Node, or Electron's `MessagePortMain`. */
export type PortLike = EventPort | EmitterPort;

/** From now on messages are told; until then they wait in the port. */
export function listen(port: PortLike, onMessage: (data: unknown) => void): void {
  hear(port, 'message', (event) => onMessage((event as { data?: unknown }).data));
  port.start?.();
}

/** From now on the end of the channel is told, where messages wait before it only after them. */
export function whenClosed(port: PortLike, onClose: () => void): void {
  hear(port, 'close', onClose);
}

function hear(port: PortLike, type: 'message' | 'close', listener: (event: unknown) => void): void {
  if ('addEventListener' in port) port.addEventListener(type, listener);
  else port.on(type, listener);
}
