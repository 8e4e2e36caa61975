// `mbundle watch` beside a dev server: one process a project, however many servers, ended with the last of them. It ends
// by itself when this process does, also when that is killed, because its standard input closes then.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { PluginError, findCommand, notInstalled, start } from "./command.js";
import { describe } from "./problems.js";
import { isBuilt } from "./project.js";

/**
 * @typedef {{type: string, build?: number, entries?: string[], manifest?: {sha256: string}, problems?: import("./problems.js").Problem[]}} Event
 * @typedef {(event: Event) => void} Listener
 */

const PATIENCE_MS = 5_000;
/** Also when this module is loaded twice, as a reloaded config does. @type {Map<string, Session>} */
const sessions = (/** @type {any} */ (globalThis)[Symbol.for("mbundle.sessions")] ??= new Map());

/** @param {string} root folder of model.config.py @param {string | readonly string[] | undefined} given see `findCommand` @returns {Session} to be closed */
export function openSession(root, given) {
  const session = sessions.get(root) ?? new Session(root, given);
  sessions.set(root, session);
  session.users++;
  return session;
}

export class Session {
  users = 0;
  /** Of the last build that was good, absolute. @type {string | undefined} */
  output;
  /** @type {readonly import("./problems.js").Problem[]} */
  problems = [];
  #failed = "";
  #over = false;
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {string} root @param {string | readonly string[] | undefined} given */
  constructor(root, given) {
    const command = findCommand(root, given);
    if (!command) throw notInstalled(root);
    this.root = root;
    this.child = start(command, ["watch", "--json", "--exit-with-stdin"], root);
    this.child.stdin.on("error", () => {});
    createInterface(this.child.stdout).on("line", (line) => this.#heard(line));
    this.ended = new Promise((done) => {
      this.child.on("error", (error) => done(this.#end(`\`${command.join(" ")}\` cannot be started: ${error.message}`)));
      this.child.on("close", (status) => done(this.#end(`\`mbundle watch\` ended with status ${status}; see above.`)));
    });
    this.kill = () => this.child.kill();
    process.once("exit", this.kill);
  }

  /** The output folder, when there is a build to use. Throws PluginError when the first build failed. @returns {Promise<string>} */
  async ready() {
    if (this.output === undefined && !this.#failed) await new Promise((done) => this.#waiting.push(() => done(undefined)));
    if (this.output === undefined) throw new PluginError(this.#failed);
    return this.output;
  }

  /** @param {Listener} listener @returns {() => void} */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close() {
    this.users--;
    if (this.users > 0 || this.#over) return;
    this.#over = true;
    sessions.delete(this.root);
    process.off("exit", this.kill);
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), PATIENCE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** @param {string} line */
  #heard(line) {
    /** @type {Event} */
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      return;
    }
    if (event.type === "error") {
      this.problems = event.problems ?? [];
      this.#failed = describe(this.problems);
      console.error(`\n[mbundle] ${this.#failed}\n`);
      this.output ??= outputOf(this.root); // the last good build stays in use
    } else if (event.type === "model-update" || event.type === "build-unchanged") {
      if (this.#failed) console.info("[mbundle] mended");
      else if (event.entries?.length) console.info(`[mbundle] built ${event.entries.join(", ")}`);
      this.problems = [];
      this.#failed = "";
      this.output = outputOf(this.root);
    }
    if (this.output !== undefined || this.#failed) for (const wake of this.#waiting.splice(0)) wake();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** @param {string} why */
  #end(why) {
    if (this.#over) return;
    this.#over = true;
    sessions.delete(this.root);
    this.#failed ||= why;
    this.output ??= outputOf(this.root);
    console.error(`[mbundle] ${why}`);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** As the last build wrote it down. @param {string} root @returns {string | undefined} */
export function outputOf(root) {
  try {
    const output = resolve(root, JSON.parse(readFileSync(join(root, ".mbundle", "stats.json"), "utf8")).outDir);
    return isBuilt(output) ? output : undefined;
  } catch {
    return undefined;
  }
}
