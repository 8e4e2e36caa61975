declare module "virtual:icons" {
  /** URLs of files: see vite/icons.js. */
  export const icons: string;
  export const tokenizer: string;
  export const vectors: Record<string, string>;
}
