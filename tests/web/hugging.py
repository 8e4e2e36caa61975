"""A page with @huggingface/transformers on our own onnxruntime-web."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures import transformers_js

from .server import Site

NODE = Path(__file__).resolve().parents[2] / "node_modules"
IMPORTS = {
    "@huggingface/transformers": f"/hf/{transformers_js.MODULE}",
    "onnxruntime-common": "/ort-common/index.js",
    "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs",
}
PAGE = f"""<!doctype html><title>transformers.js</title>
<script type="importmap">{json.dumps({"imports": IMPORTS})}</script>"""
RUN = """
  const { env, AutoModel, AutoTokenizer, Tensor } = await import("@huggingface/transformers");
  const { configure, model, dtypes } = await import(`/dist/transformers/${arg.entry}.js`);
  Object.assign(env, { allowRemoteModels: false, useBrowserCache: false });
  configure(env);
  env.backends.onnx.wasm.wasmPaths = "/ort/";
  const loaded = await AutoModel.from_pretrained(model, { ...(arg.dtype ? { dtype: arg.dtype } : {}), device: "wasm" });
"""


def furnish(site: Site) -> None:
    """`/hf.html` then is such a page."""
    site.mounts |= {"/hf/": transformers_js.folder(), "/ort-common/": NODE / "onnxruntime-common/dist/esm"}
    site.pages["/hf.html"] = PAGE
