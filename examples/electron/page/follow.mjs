// Follows what is being written, unless the reader has gone elsewhere.

/** So near to the end counts as being there. */
const NEAR = 48;

export class Follower {
  #scroller;
  #button;
  #isFollowing = true;
  #isPlanned = false;
  #top = 0;

  /** @param {HTMLElement} scroller @param {HTMLElement} button - leads back to the end */
  constructor(scroller, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener('scroll', () => this.#look(), { passive: true });
    new ResizeObserver(() => this.grown()).observe(scroller);
    button.addEventListener('click', () => this.toEnd());
  }

  /** Something was added. */
  grown() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      if (this.#isFollowing) this.#scroller.scrollTop = this.#scroller.scrollHeight;
      else this.#look();
    });
  }

  /** The reader wants to see the end: a message was sent, or the button was pressed. */
  toEnd() {
    this.#isFollowing = true;
    this.#button.hidden = true;
    this.grown();
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    // Only readers scroll up: what grows pushes the end away, but leaves the position.
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (isAtEnd) this.#isFollowing = true;
    else if (scrollTop < this.#top) this.#isFollowing = false;
    this.#top = scrollTop;
    this.#button.hidden = isAtEnd || this.#isFollowing;
  }
}
