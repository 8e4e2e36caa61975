"""What a checkpoint is for."""

from __future__ import annotations

from typing import Any

from .request import Refused, Request

_TASKS = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForMaskedLM": "fill-mask",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMultipleChoice": "multiple-choice",
    "ForImageClassification": "image-classification",
    "ForSemanticSegmentation": "image-segmentation",
    "ForObjectDetection": "object-detection",
    "ForAudioClassification": "audio-classification",
    "ForSpeechSeq2Seq": "automatic-speech-recognition",
    "ForConditionalGeneration": "text2text-generation",
    "MTModel": "text2text-generation",
    "ForCTC": "automatic-speech-recognition",
    "VisionEncoderDecoderModel": "image-to-text",
    "CLIPModel": "zero-shot-image-classification",
}


def read_config(request: Request) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(request["folder"], local_files_only=True, trust_remote_code=False)
    except ValueError as error:
        raise Refused("unknown", str(error).split("\n")[0]) from error


def task_of(request: Request) -> str:
    """The one that is asked for, or what the name of the architecture says. optimum asks the Hub, which we do not."""
    if request["task"] != "auto":
        return request["task"]
    config = read_config(request)
    names = [str(name) for name in getattr(config, "architectures", None) or ()]
    for name in names:
        found = next((task for ending, task in _TASKS.items() if name.endswith(ending)), None)
        if found == "text2text-generation" and config.model_type in ("whisper", "speech_to_text"):
            found = "automatic-speech-recognition"
        if found or name.endswith("Model"):
            return found or "feature-extraction"
    raise Refused("task", f"its config names {', '.join(names) or 'no architecture'}")
