// The ports of one page. What a page may have open is counted by port, so it has one at a time: or else it could begin more and
// more, port by port.

import type { Connection } from './connection.js';

export class PageTurns {
  readonly #onEmpty: () => void;
  #served: Connection | undefined;
  #next: Connection | undefined;

  /** @param onEmpty - the page's last port has ended */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** Ends the port that the page had, and one that still waits, and answers this one when all that was begun before has ended. */
  take(connection: Connection): void {
    this.#next?.leave();
    this.#next = connection;
    if (!this.#served) return void this.#serve();
    connection.hold();
    this.#served.leave();
  }

  async #serve(): Promise<void> {
    while (this.#next) {
      this.#served = this.#next;
      this.#next = undefined;
      this.#served.begin();
      await this.#served.ended;
    }
    this.#served = undefined;
    this.#onEmpty();
  }
}
