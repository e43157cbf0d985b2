// How much memory a guest may use.

/**
 * Bytes of values that one guest holds at once, over all its operations. A guest takes 7/8
 * more for the gaps between them, 16 MiB in all. Each request has a guest of its own, and
 * an isolate has 128 MB for all requests that it serves at the time.
 */
export const MEMORY_BYTES = 8 * 1024 * 1024;
