"""Runs in the Python that has torch: the likeliest tokens after each prompt, as a JSON list of lists.

python -P torch_greedy.py CHECKPOINT PROMPTS COUNT
"""

from __future__ import annotations

import json
import sys


def main(checkpoint: str, prompts: str, count: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True, torch_dtype=torch.float32).eval()
    options = {"max_new_tokens": int(count), "min_new_tokens": int(count), "do_sample": False, "pad_token_id": 0}
    with torch.inference_mode():
        texts = [model.generate(torch.tensor([prompt]), **options)[0, len(prompt) :] for prompt in json.loads(prompts)]
    print(json.dumps([text.tolist() for text in texts]))


if __name__ == "__main__":
    main(*sys.argv[1:])
