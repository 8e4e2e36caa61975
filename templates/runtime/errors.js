// The one error class of the runtime. `code` is stable and is what an app switches on; `fix` says what to do.
// An abort is no error of ours: the signal's own reason is thrown as it is.

/** @typedef {import("./types.d.ts").MbundleError["code"]} Code */
/** @typedef {{entry?: string, file?: string, status?: number, retryAfter?: number, cause?: unknown, parts?: unknown[]}} About */

export class MbundleError extends Error {
  /**
   * @param {Code} code
   * @param {string} what
   * @param {About} [about]
   */
  constructor(code, what, about = {}) {
    super(`${what} [${code}]`, { cause: about.cause });
    this.name = "MbundleError";
    this.code = code;
    this.what = what;
    /** Filled in by `advised`. */
    this.fix = "";
    this.entry = about.entry;
    this.file = about.file;
    this.status = about.status;
    /** Seconds that the server asked us to wait. */
    this.retryAfter = about.retryAfter;
    /** What `advised` makes a sentence of. */
    this.parts = about.parts;
  }
}

/** @param {unknown} error */
export const textOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Adds what to do to an error that leaves for the app; the texts are imported only then.
 * @template T @param {Promise<T>} promise @param {string} [entry] @returns {Promise<T>}
 */
export async function advised(promise, entry) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof MbundleError) {
      error.entry ??= entry;
      await import("./advice.js").then(({ advise }) => advise(error), () => (error.fix ||= "Try again online."));
      error.message = `${error.what} ${error.fix} [${error.code}]`;
    }
    throw error;
  }
}
