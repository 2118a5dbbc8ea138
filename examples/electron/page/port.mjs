// The way to the host of the models.

/**
 * A port whose other end the host serves; the preload script sends it as a message of the window.
 * @returns {Promise<MessagePort>}
 */
export function openPort() {
  return new Promise((resolve) => {
    /** @param {MessageEvent} event */
    const take = ({ source, data, ports: [port] }) => {
      if (source !== window || data !== 'neox:port' || !port) return;
      removeEventListener('message', take);
      resolve(port);
    };
    addEventListener('message', take);
    window.app.connect();
  });
}
