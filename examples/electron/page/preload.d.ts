// What the preload script gives to the page.

interface Window {
  app: {
    /** Asks for a port to the host, which comes as a message of the window. */
    connect(): void;
    /** Lets the user choose a file; its id, or null when nothing was chosen. */
    addModel(): Promise<string | null>;
    onHostExit(listener: (code: number) => void): void;
  };
}
