"""OpenAI's chat protocol, in both roles: we are a client of upstreams and a server to clients."""

from __future__ import annotations

from streamroute.wire.answer import AnswerDecoder, StreamedAnswer, WholeAnswer, answer_decoder
from streamroute.wire.chunk import decode_error
from streamroute.wire.collect import Choice, ChoiceCollector
from streamroute.wire.reply import ChunkEncoder, encode_completion, encode_error, encode_models
from streamroute.wire.request import ClientRequest, RouteOptions, decode_document, decode_request, request_body

__all__ = (
    "AnswerDecoder",
    "Choice",
    "ChoiceCollector",
    "ChunkEncoder",
    "ClientRequest",
    "RouteOptions",
    "StreamedAnswer",
    "WholeAnswer",
    "answer_decoder",
    "decode_document",
    "decode_error",
    "decode_request",
    "encode_completion",
    "encode_error",
    "encode_models",
    "request_body",
)
