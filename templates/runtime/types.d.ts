/** The public types of the runtime, and the shapes that its modules hand to each other. */

/** What each dtype is in JavaScript. */
export interface Arrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Float16 | Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
  string: string[];
}
type Float16 = typeof globalThis extends { Float16Array: { prototype: infer T } } ? T : never;

/** What may be written where one element of a dtype is wanted. */
interface Scalars {
  int64: number | bigint;
  uint64: number | bigint;
  bool: boolean | number;
  string: string;
}
type Scalar<D> = D extends keyof Scalars ? Scalars[D] : number;
type Nested<T> = T | readonly Nested<T>[];
type ArrayOf<D> = D extends keyof Arrays ? Arrays[D] : ArrayBufferView | unknown[];

/** A dimension of a manifest: a fixed size, or the name of one that varies (null: without a name). */
type Dimension = number | string | null;
export interface Port {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly Dimension[] | null;
}
export interface Signature {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Names of the files that come with the model. */
  readonly assets?: readonly string[];
}

/** `["N", 2048]` as a tuple of sizes: `[number, 2048]`. */
export type Dims<S> = S extends readonly Dimension[]
  ? { readonly [I in keyof S]: S[I] extends number ? S[I] : number }
  : readonly number[];

/**
 * What an input takes: its own typed array, numbers (nested or flat), or either with its dims. Dims
 * that are not given are found from the shape; an ambiguous one is an error, never a guess.
 */
export type Feed<P extends Port> =
  | ArrayOf<P["dtype"]>
  | Nested<Scalar<P["dtype"]>>
  | {
      readonly data: ArrayOf<P["dtype"]> | readonly Scalar<P["dtype"]>[];
      readonly dims?: Dims<P["shape"]> | readonly number[];
      readonly type?: P["dtype"];
    };
export type Feeds<S extends Signature> = {
  readonly [P in S["inputs"][number] as P["name"]]: Feed<P>;
};
export interface Output<P extends Port> {
  readonly type: P["dtype"];
  readonly data: ArrayOf<P["dtype"]>;
  readonly dims: Dims<P["shape"]>;
}
export type Outputs<S extends Signature> = {
  readonly [P in S["outputs"][number] as P["name"]]: Output<P>;
};

export interface Progress {
  /** download: bytes are coming; session: onnxruntime builds the session; ready: done. */
  readonly phase: "download" | "session" | "ready";
  /** Bytes of all files of the entry that are here and, at "session", verified. */
  readonly loaded: number;
  readonly total: number;
  /** How many of `loaded` came from the store of this device. */
  readonly fromCache: number;
  readonly entry: string;
}
export interface PreloadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Name of a variant of the entry, where the app wants to choose. */
  readonly variant?: string;
  /** The outputs that the app wants; of a model that is split, stages that no wanted output needs are not fetched. */
  readonly outputs?: readonly string[];
}
export interface LoadOptions extends PreloadOptions {
  readonly device?: "auto" | "wasm" | "webgpu";
  /** Loads and runs the model in a worker, so that the page never waits; where none can start, in the page as usual. */
  readonly worker?: boolean;
  /**
   * An onnxruntime-web module that the app has imported itself, a function that imports it, or URLs of its builds
   * (which a worker can import too).
   */
  readonly ort?: Ort | (() => Promise<Ort>) | Readonly<Partial<Record<"wasm" | "jspi" | "webgpu", string>>>;
  /** Keeps onnxruntime-web's wasm in the store of the models, verified as they are, where the build has copied it (`ort="self"`). */
  readonly keepOrt?: boolean;
  /** Of a model that is split: gives the memory of each stage back when it has run, so that the largest one is the peak. */
  readonly release?: boolean;
  /** More options for `InferenceSession.create`. */
  readonly sessionOptions?: Readonly<Record<string, unknown>>;
}
/** Verified files by sha256, which the dev client keeps in memory from one build to the next. Production has none. */
export interface Kept {
  /** Memory that holds `file` from byte `from` to `to`; not to be written to. */
  span(file: DataFile, from: number, to: number): Uint8Array<ArrayBuffer> | undefined;
  /** Whether `target` holds the file now. */
  fill(sha256: string, target: Uint8Array<ArrayBuffer>): boolean;
  /** `bytes` hold the file, and are not written to any more. */
  set(sha256: string, bytes: Uint8Array<ArrayBuffer>): void;
}
export interface OpenOptions extends LoadOptions {
  readonly kept?: Kept;
}
export interface Info {
  readonly entry: string;
  readonly variant: string;
  readonly device: "wasm" | "webgpu";
  /** Whether it runs in a worker. */
  readonly worker: boolean;
  /** Bytes that came over the network and from the store. */
  readonly downloaded: number;
  readonly fromCache: number;
  /** Why better choices were passed over, in order. */
  readonly skipped: readonly string[];
}
export interface RunOptions<N extends string> {
  /** The outputs to compute, instead of those named to `load`, or all. */
  readonly outputs?: readonly N[];
}
/** How a model writes tokens, and what its KV cache takes. */
export interface Generation {
  readonly layers: number;
  /** Of keys and values. */
  readonly heads: number;
  readonly headDim: number;
  /** Of the cache. */
  readonly dtype: string;
  /** What each token of a text takes for as long as the text is being written. */
  readonly bytesPerToken: number;
  /** [input, output] each: what comes out is what goes in next. */
  readonly cache: readonly (readonly string[])[];
  /** Size of the vocabulary; 0: not known. */
  readonly words: number;
  /** Tokens that end a text. */
  readonly end: readonly number[];
  /** There for an encoder-decoder: what its decoder begins with; empty: not known. */
  readonly start?: readonly number[];
  /** Tokens that are never written. */
  readonly suppressed?: readonly number[];
  /** Whether past and present may be one buffer, as long as the longest text. */
  readonly inPlace?: boolean;
  /** What a session on WebGPU is asked to keep of each value of the cache. */
  readonly webgpuBits?: 4 | 8;
}
export type Tokens = ArrayLike<number> | ArrayLike<bigint> | readonly (readonly number[])[] | { readonly data: ArrayLike<number> | ArrayLike<bigint> };
export interface GenerateOptions {
  /** The tokens of one text, at least one: the text so far; of an encoder-decoder the text that its encoder reads. */
  readonly input_ids: Tokens;
  /** Of an encoder-decoder: 1 for each token that is to be read, 0 for padding. All ones where it is not given. */
  readonly attention_mask?: Tokens;
  /** Of an encoder-decoder: what its decoder begins with, in place of what the checkpoint says. */
  readonly decoder_input_ids?: Tokens;
  /** 128 where it is not given. */
  readonly max_new_tokens?: number;
  /** 0 (the default) takes the likeliest token each time; 1 draws by chance as the model says, more is wilder. */
  readonly temperature?: number;
  /** Draws from the likeliest tokens that have this probability together; 1: from all. */
  readonly top_p?: number;
  /** Draws from so many of the likeliest tokens; 0: from all. */
  readonly top_k?: number;
  /** The same seed draws the same tokens. */
  readonly seed?: number;
  /** Ends the text; what the checkpoint says where it is not given. */
  readonly eos_token_id?: number | readonly number[];
  readonly signal?: AbortSignal;
  /** Called with each new token and its index; the next one waits for what it returns. In a worker it does not wait. */
  readonly onToken?: (token: number, index: number) => unknown;
  /** Feeds for inputs that the model has beside the usual ones, such as what an encoder listens to; the same at each step. */
  readonly inputs?: Readonly<Record<string, unknown>>;
}
export interface Generated {
  /** The new tokens, without the one that ended the text. */
  readonly tokens: number[];
  readonly finish_reason: "stop" | "length";
}
/** For a model that reads something else than tokens, such as sounds: `inputs` holds it. */
export type GenerateFrom = Omit<GenerateOptions, "input_ids" | "attention_mask" | "inputs"> & Required<Pick<GenerateOptions, "inputs">>;
export interface Generative<O = GenerateOptions> {
  readonly generation: Generation;
  /** Goes on with a text. Rejects with the signal's reason when that is aborted; what was written by then, `onToken` has seen. */
  generate(options: O): Promise<Generated>;
}
/** A model of a signature; one with a KV cache can write. */
export type Model<S extends Signature = Signature> = Runnable<S> & (S extends { readonly generates: true } ? Generative<"input_ids" extends S["inputs"][number]["name"] ? GenerateOptions : GenerateFrom> : unknown);
export interface Runnable<S extends Signature = Signature> {
  readonly info: Info;
  readonly inputs: S["inputs"];
  readonly outputs: S["outputs"];
  run(feeds: Feeds<S>): Promise<Outputs<S>>;
  /** Only these outputs. A model that is split may then do without some inputs, too. */
  run<N extends keyof Outputs<S> & string>(feeds: Partial<Feeds<S>>, options: RunOptions<N>): Promise<Pick<Outputs<S>, N>>;
  /**
   * Calls `listener` each time that a new build has taken this model's place while you work (docs/dev.md); never in
   * production. Returns a function that ends it.
   */
  onUpdate(listener: (info: Info) => void): () => void;
  /** Gives the memory back. Waits for runs that are under way; later ones are refused. */
  dispose(): Promise<void>;
}
export interface CacheInfo {
  readonly kind: "cache" | "memory";
  readonly files: number;
  readonly bytes: number;
  /** What the browser allows this origin, and what it holds; null where the browser does not tell. */
  readonly quota: number | null;
  readonly usage: number | null;
}
/** A file that comes with a model, such as its tokenizer. What is read was verified, and is kept on the device. */
export interface Asset {
  readonly name: string;
  /** Where it is; it never changes under this name. */
  readonly url: string;
  readonly bytes: number;
  readonly sha256: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  text(): Promise<string>;
  json(): Promise<any>;
}
export type Assets<S extends Signature> = { readonly [N in NonNullable<S["assets"]>[number]]: Asset };
/** One entry of a build: what `entries/<name>.js` exports. */
export interface Entry<S extends Signature = Signature> {
  readonly name: string;
  load(options?: LoadOptions): Promise<Model<S>>;
  /** Fetches, verifies and stores what `load` will need; opens no session. */
  preload(options?: PreloadOptions): Promise<void>;
  /** `preload`, but after everything else that the page does or fetches. */
  prefetch(options?: PreloadOptions): Promise<void>;
  /** The files that come with the model, by name; nothing of them is fetched before it is read. */
  assets(options?: { readonly signal?: AbortSignal }): Promise<Assets<S>>;
}
/** All entries of a build: what `models.js` exports. */
export interface Api<E> {
  readonly entries: readonly (keyof E & string)[];
  load<N extends keyof E & string>(name: N, options?: LoadOptions): Promise<Model<E[N] & Signature>>;
  preload(name: keyof E & string, options?: PreloadOptions): Promise<void>;
  prefetch(name: keyof E & string, options?: PreloadOptions): Promise<void>;
  assets<N extends keyof E & string>(name: N, options?: { readonly signal?: AbortSignal }): Promise<Assets<E[N] & Signature>>;
}

/** Every failure that is not an abort. Switch on `code`; `fix` says what to do. */
export declare class MbundleError extends Error {
  readonly code:
    | "unknown-entry" | "manifest" | "http" | "network" | "offline" | "timeout" | "html" | "size" | "integrity"
    | "stale-build" | "memory" | "unsupported" | "ort" | "session" | "feeds" | "run" | "disposed";
  readonly what: string;
  readonly fix: string;
  readonly entry: string | undefined;
  readonly file: string | undefined;
  /** Of the server's answer, for `http`. */
  readonly status: number | undefined;
}
/** From now on files are fetched from `${url}/assets/`; null: from where the build put them. */
export declare function setBase(url: string | URL | null): void;
/** What is stored on this device, for all builds of this origin. */
export declare function cacheInfo(): Promise<CacheInfo>;
/** Removes it. Models that are open go on. */
export declare function clearCache(): Promise<void>;
/** Asks the browser to keep what is stored also when the device runs out of room; whether it will. */
export declare function persist(): Promise<boolean>;

/* Between modules. */

/** A file of the build: name below `assets/`, size and hash of its content. */
export interface FileRef {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}
export interface Chunk extends FileRef {
  readonly offset: number;
}
/** One external data file as onnxruntime knows it; `chunks` tile it. */
export interface DataFile {
  readonly path: string;
  readonly bytes: number;
  readonly chunks: readonly Chunk[];
  /** offset, length, offset, length... of each initializer, ascending; one initializer, one pair. */
  readonly tensors: readonly number[];
}
export interface Requires {
  readonly ops: readonly string[];
  readonly shaderF16: boolean;
  readonly memory: number;
}
/** A part of a variant that is split. Values go from one to the next under their names. */
export interface Stage extends Signature {
  readonly graph: FileRef;
  /** Paths of the variant's data files that it reads. */
  readonly data: readonly string[];
}
export interface Variant extends Signature {
  readonly name: string;
  readonly graph: FileRef;
  readonly data: readonly DataFile[];
  readonly requires: Requires;
  /** Where a golden check has not found it to be wrong; undefined: anywhere. */
  readonly providers: readonly string[] | undefined;
  /** In the order in which they run; undefined: it is not split. */
  readonly stages?: readonly Stage[] | undefined;
  readonly generation?: Generation | undefined;
  /** Only of a stage that is opened by itself: the outputs of the whole. */
  readonly part?: readonly string[];
}
export type Hint = "lazy" | "idle" | "eager";
export interface AssetRef extends FileRef {
  readonly name: string;
}
export interface ManifestEntry {
  readonly load: Hint;
  readonly assets: readonly AssetRef[];
  readonly variants: readonly Variant[];
}
export interface Manifest {
  readonly entries: ReadonlyMap<string, ManifestEntry>;
}
/** What a generated module knows about its entry. */
export interface Spec {
  readonly name: string;
  readonly manifest: FileRef;
  /** Where the bundler or the page put each file. */
  readonly files: readonly (readonly [string, string])[];
  /** Folder of all files when they are served from elsewhere than beside the module. */
  readonly base: string | null;
  /**
   * The copy of onnxruntime-web in the output folder, as names of files; null: the app's own is used. Without a module it
   * is the app's own too, and `wasm` is the URL where a bundler has put its wasm.
   */
  readonly ort: Readonly<Record<"wasm" | "jspi" | "webgpu", { readonly module: string | null; readonly wasm: string; readonly bytes?: number; readonly sha256?: string }>> | null;
  /** Set by the runtime: threads and workers may be forbidden in a page. */
  readonly canStartWorker?: () => Promise<boolean>;
}

/** As much of onnxruntime-web as the runtime uses. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
  getData?(releaseData?: boolean): Promise<unknown>;
  dispose?(): void;
}
export interface OrtSession {
  run(feeds: Record<string, OrtTensor>, outputs?: readonly string[] | Record<string, OrtTensor | null>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}
export interface Ort {
  readonly InferenceSession: {
    create(graph: Uint8Array, options: Record<string, unknown>): Promise<unknown>;
  };
  readonly Tensor: new (...args: never[]) => unknown;
  readonly env: object;
}
