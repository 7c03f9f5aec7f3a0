"""headrace.file.v1: decode, call, encode."""

from headrace.file.v1 import file_service_pb2 as pb
from headrace.file.v1 import file_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.files.model import File
from headrace_flow_manager.files.service import FileService
from headrace_flow_manager.servicer import json_bytes, query_of, scope_of, tenant_of, timestamp


class FileServicer(grpc_pb.FileServiceServicer):
    """Answers headrace.file.v1.FileService."""

    def __init__(self, files: FileService) -> None:
        self._files = files

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_FileServiceServicer_to_server(self, server)

    async def OpenFile(self, request: pb.OpenFileRequest, context: object) -> pb.OpenFileResponse:
        file_id, upload_id = await self._files.open(
            tenant_of(request.scope),
            request.file_id,
            request.filename,
            request.content_type,
            json_text.decode_object(request.metadata, "metadata"),
        )
        return pb.OpenFileResponse(file_id=file_id, upload_id=upload_id)

    async def WriteFile(self, request: pb.WriteFileRequest, context: object) -> pb.WriteFileResponse:
        await self._files.write(tenant_of(request.scope), request.upload_id, request.offset, request.data)
        return pb.WriteFileResponse()

    async def FinishFile(self, request: pb.FinishFileRequest, context: object) -> pb.FinishFileResponse:
        return pb.FinishFileResponse(file=_file(await self._files.finish(tenant_of(request.scope), request.upload_id)))

    async def GetFile(self, request: pb.GetFileRequest, context: object) -> pb.GetFileResponse:
        return pb.GetFileResponse(file=_file(await self._files.get(scope_of(request.scope).readable, request.file_id)))

    async def ReadFile(self, request: pb.ReadFileRequest, context: object) -> pb.ReadFileResponse:
        tenants = scope_of(request.scope).readable
        return pb.ReadFileResponse(
            data=await self._files.read(tenants, request.file_id, request.offset, request.length)
        )

    async def ListFiles(self, request: pb.ListFilesRequest, context: object) -> pb.ListFilesResponse:
        page = await self._files.page(scope_of(request.scope).readable, query_of(request.query))
        return pb.ListFilesResponse(files=map(_file, page.items), total=page.total)

    async def DeleteFile(self, request: pb.DeleteFileRequest, context: object) -> pb.DeleteFileResponse:
        await self._files.delete(tenant_of(request.scope), request.file_id)
        return pb.DeleteFileResponse()

    async def DeleteFiles(self, request: pb.DeleteFilesRequest, context: object) -> pb.DeleteFilesResponse:
        deleted, remaining = await self._files.delete_found(tenant_of(request.scope), query_of(request.query))
        return pb.DeleteFilesResponse(deleted=deleted, remaining=remaining)


def _file(file: File) -> pb.File:
    return pb.File(
        file_id=file.file_id,
        filename=file.description.filename,
        content_type=file.description.content_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        tenant_id=file.tenant_id,
        uploaded_at=timestamp(file.uploaded_at),
        metadata=json_bytes(file.description.metadata),
    )
