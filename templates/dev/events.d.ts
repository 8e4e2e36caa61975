/** What a dev server, or a bundler's plugin on its behalf, tells the page. docs/dev.md describes the events. */

export interface Problem {
  readonly code: string;
  readonly what: string;
  readonly fix: string;
  readonly file?: string;
  readonly line?: number;
  readonly frame?: string;
  readonly entry?: string;
  readonly step?: string;
  readonly severity: "error" | "warning";
}
export type Event =
  /** How things are, first thing after connecting. `manifest`: null before the first good build. */
  | { readonly type: "hello"; readonly manifest: { readonly sha256: string } | null; readonly problems: readonly Problem[] }
  | { readonly type: "build-start"; readonly build: number; readonly changed: readonly string[] }
  | { readonly type: "progress"; readonly build: number; readonly text: string }
  | { readonly type: "model-update"; readonly build: number; readonly entries: readonly string[]; readonly manifest: { readonly sha256: string } }
  | { readonly type: "build-unchanged"; readonly build: number }
  | { readonly type: "error"; readonly build: number; readonly problems: readonly Problem[] };

export type Listener = (event: Event) => void;
/** A transport: calls the listener with each event until the function that it returns is called. */
export type Subscribe = (listener: Listener) => () => void;
/** Imports `entries/<name>.js` of the build whose manifest has this sha256; never an older one from a cache. */
export type ImportEntry = (name: string, version: string) => Promise<{ readonly default: object }>;
