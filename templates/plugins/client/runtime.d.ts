/** What the plugins resolve to the runtime of the output folder. */
declare module "virtual:mbundle-runtime" {
  export const entry: (spec: import("../../runtime/types.d.ts").Spec) => import("../../runtime/types.d.ts").Entry<any>;
}
interface ImportMeta {
  readonly hot?: { on(event: string, listener: (data: any) => void): void; send(event: string, data: unknown): void };
}
