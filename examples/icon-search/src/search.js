// @ts-check
// One search at a time, the newest text next. The model runs in mbundle's worker, all else in one of our own; what is left to the
// page is passing a few kilobytes on.

import { load } from "virtual:mbundle/icons";
import { icons, tokenizer, vectors } from "virtual:icons";

/** @typedef {import("./words.js").Icon} Icon */
/** @typedef {{ text: string, icons: Icon[], took: number, by: "all" | "words" | "meaning" }} Found */

export const MOST = 32;
const PAUSE_MS = 60;

export class Search {
  /** @type {Awaited<ReturnType<typeof load>> | undefined} */
  model;
  #words = new Words();
  #wanted = "";
  #busy = false;
  #again = false;
  #timer = 0;

  /** @param {(found: Found) => void} onFound @param {(error: unknown) => void} onError */
  constructor(onFound, onError) {
    this.onFound = onFound;
    this.onError = onError;
  }

  /** @returns {Promise<number>} how many icons there are */
  open = () => this.#words.ask("open", { icons, tokenizer });

  /** @param {Parameters<typeof load>[0]} options */
  async read(options) {
    const model = await load({ ...options, worker: true });
    await this.#words.ask("compareWith", vectors[model.info.variant]);
    this.model = model;
    model.onUpdate?.(() => location.reload()); // while you develop: another model needs other vectors
    this.want(this.#wanted, 0);
    return model.info;
  }

  /** @param {string} text @param {number} [pause] */
  want(text, pause = PAUSE_MS) {
    this.#wanted = text.trim();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), pause);
  }

  async #next() {
    this.#again = this.#busy;
    if (this.#busy) return;
    this.#busy = true;
    const text = this.#wanted;
    const began = performance.now();
    try {
      const [by, found] = await this.#find(text);
      if (text === this.#wanted) this.onFound({ text, icons: found, by, took: performance.now() - began });
    } catch (error) {
      this.onError(error);
    }
    this.#busy = false;
    if (this.#again) this.#next();
  }

  /** @param {string} text @returns {Promise<[Found["by"], Icon[]]>} */
  async #find(text) {
    if (!text) return ["all", await this.#words.ask("some", MOST)];
    if (!this.model) return ["words", await this.#words.ask("match", { text, most: MOST })];
    const feeds = await this.#words.ask("feeds", text);
    const { last_hidden_state: states } = await this.model.run(feeds);
    return ["meaning", await this.#words.ask("nearest", { states: states.data, length: states.dims[1], most: MOST })];
  }
}

/** Calls into the worker. */
class Words {
  #worker = new Worker(new URL("./words.js", import.meta.url), { type: "module" });
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #calls = new Map();
  #id = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, value, error } }) => {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    };
    this.#worker.onerror = () => {
      for (const call of this.#calls.values()) call.reject(new Error("The search could not start."));
      this.#calls.clear();
    };
  }

  /** @param {string} call @param {unknown} value @returns {Promise<any>} */
  ask(call, value) {
    let settle = /** @type {any} */ (undefined);
    const answer = new Promise((resolve, reject) => (settle = { resolve, reject }));
    this.#calls.set(++this.#id, settle);
    this.#worker.postMessage({ id: this.#id, call, value });
    return answer;
  }
}
