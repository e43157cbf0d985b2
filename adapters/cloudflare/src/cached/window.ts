// The last bytes of a body that is being fetched, by their offsets. It is bounded; pieces are kept as they came, never
// written to again, and given back when nobody holds them. Pure.

interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

export class Window {
  readonly #capacity: number;
  #pieces: Piece[] = [];
  #held = 0;
  #head: number;

  /** Of at most `capacity` bytes and one piece more, for a body that begins at `offset`. */
  constructor(capacity: number, offset: number) {
    this.#capacity = capacity;
    this.#head = offset;
  }

  /** Where the next piece begins. */
  get head(): number {
    return this.#head;
  }

  /** The first byte that is there; the head, if there is none. */
  get start(): number {
    return this.#pieces[0]?.start ?? this.#head;
  }

  /** Bytes that are held. */
  get held(): number {
    return this.#held;
  }

  /**
   * Whether one more piece may come when nobody needs what lies before `needed`. What fits is kept for who comes late. What goes
   * is given to `gone`.
   */
  room(needed: number, gone: (bytes: Uint8Array) => void = () => undefined): boolean {
    while (this.#held >= this.#capacity) {
      const first = this.#pieces[0] as Piece;
      if (first.start + first.bytes.byteLength > needed) return false;
      this.#pieces.shift();
      this.#held -= first.bytes.byteLength;
      gone(first.bytes);
    }
    return true;
  }

  /** Adds a piece, which is not changed any more. */
  push(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#pieces.push({ start: this.#head, bytes });
    this.#head += bytes.byteLength;
    this.#held += bytes.byteLength;
  }

  /** Bytes from this offset on, as many as lie in one piece; empty at the head. The offset is in the window. */
  at(offset: number): Uint8Array {
    if (offset === this.#head) return new Uint8Array(0);
    // From the end: most readers are near the head.
    for (let i = this.#pieces.length - 1; i >= 0; i -= 1) {
      const { start, bytes } = this.#pieces[i] as Piece;
      if (start <= offset) return bytes.subarray(offset - start);
    }
    throw new RangeError(`byte ${offset} is not in the window any more`);
  }
}
