"""FileService over RPC: decode, call, encode."""

from __future__ import annotations

from headrace.file.v1 import file_service_pb2 as pb
from headrace.file.v1 import file_service_pb2_grpc as grpc_pb
from headrace_core.clock import Clock
from headrace_core.errors import BadRequest, TooLarge
from headrace_core.ids import new_id

from headrace_flow_manager import json_text
from headrace_flow_manager.files import model
from headrace_flow_manager.files.model import File, Upload
from headrace_flow_manager.files.store import Files
from headrace_flow_manager.servicer import json_bytes, query_of, tenant_of, timestamp


class FileServicer(grpc_pb.FileServiceServicer):
    """Answers headrace.file.v1.FileService."""

    def __init__(self, files: Files, clock: Clock, max_file_bytes: int) -> None:
        self._files = files
        self._clock = clock
        self._max = max_file_bytes

    async def OpenFile(self, request: pb.OpenFileRequest, context: object) -> pb.OpenFileResponse:
        upload = Upload(
            new_id(),
            request.file_id or new_id(),
            tenant_of(request.scope),
            model.check_filename(request.filename),
            request.content_type or model.DEFAULT_TYPE,
            json_text.decode_object(request.metadata, "metadata"),
            self._clock.now(),
        )
        opened = await self._files.open(upload)
        return pb.OpenFileResponse(file_id=opened.file_id, upload_id=opened.upload_id)

    async def WriteFile(self, request: pb.WriteFileRequest, context: object) -> pb.WriteFileResponse:
        if len(request.data) > model.CHUNK_BYTES:
            raise TooLarge(f"A part of a file has {model.CHUNK_BYTES} bytes at most.")
        if request.offset < 0:
            raise BadRequest("The offset is negative.")
        tenant = tenant_of(request.scope)
        await self._files.write(tenant, request.upload_id, request.offset, request.data, self._max)
        return pb.WriteFileResponse()

    async def FinishFile(self, request: pb.FinishFileRequest, context: object) -> pb.FinishFileResponse:
        now = self._clock.now().timestamp()
        return pb.FinishFileResponse(
            file=_file(await self._files.finish(tenant_of(request.scope), request.upload_id, now))
        )

    async def GetFile(self, request: pb.GetFileRequest, context: object) -> pb.GetFileResponse:
        return pb.GetFileResponse(file=_file(await self._files.get(tenant_of(request.scope), request.file_id)))

    async def ReadFile(self, request: pb.ReadFileRequest, context: object) -> pb.ReadFileResponse:
        if request.offset < 0 or not 0 < request.length <= model.CHUNK_BYTES:
            raise BadRequest(f"Read 1 to {model.CHUNK_BYTES} bytes from an offset of 0 or more.")
        data = await self._files.read(tenant_of(request.scope), request.file_id, request.offset, request.length)
        return pb.ReadFileResponse(data=data)

    async def ListFiles(self, request: pb.ListFilesRequest, context: object) -> pb.ListFilesResponse:
        page = await self._files.page(tenant_of(request.scope), query_of(request.query))
        return pb.ListFilesResponse(files=map(_file, page.items), total=page.total)

    async def DeleteFile(self, request: pb.DeleteFileRequest, context: object) -> pb.DeleteFileResponse:
        await self._files.delete(tenant_of(request.scope), request.file_id)
        return pb.DeleteFileResponse()


def _file(file: File) -> pb.File:
    return pb.File(
        file_id=file.file_id,
        filename=file.filename,
        content_type=file.content_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        tenant_id=file.tenant_id,
        uploaded_at=timestamp(file.uploaded_at),
        metadata=json_bytes(file.metadata),
    )
