"""Files, in chunks."""

from collections.abc import AsyncGenerator

import orjson
from headrace.file.v1 import file_service_pb2
from headrace.file.v1.file_service_pb2_grpc import FileServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery

CHUNK_BYTES = 1024 * 1024
_PART_BYTES = 512 * 1024


class FileClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = FileServiceStub(channel)
        self._timeout = timeout_seconds

    async def open(
        self, scope: Scope, file_id: str, filename: str, content_type: str, metadata: dict[str, Json]
    ) -> tuple[str, str]:
        """Begin a file; its id and the upload's. An unfinished upload of the same file goes on."""
        request = file_service_pb2.OpenFileRequest(
            scope=scope_to_proto(scope),
            file_id=file_id,
            filename=filename,
            content_type=content_type,
            metadata=orjson.dumps(metadata),
        )
        answer = await self._stub.OpenFile(request, timeout=self._timeout)
        return answer.file_id, answer.upload_id

    async def write(self, scope: Scope, upload_id: str, offset: int, data: bytes) -> None:
        """Add bytes at an offset, in parts the service takes."""
        for start in range(0, len(data), CHUNK_BYTES):
            request = file_service_pb2.WriteFileRequest(
                scope=scope_to_proto(scope),
                upload_id=upload_id,
                offset=offset + start,
                data=data[start : start + CHUNK_BYTES],
            )
            await self._stub.WriteFile(request, timeout=self._timeout)

    async def finish(self, scope: Scope, upload_id: str) -> dict[str, Json]:
        """Make the content visible; the file."""
        request = file_service_pb2.FinishFileRequest(scope=scope_to_proto(scope), upload_id=upload_id)
        return _file_to_json((await self._stub.FinishFile(request, timeout=self._timeout)).file)

    async def get(self, scope: Scope, file_id: str) -> dict[str, Json]:
        """What is known of a file. Raises NotFound."""
        request = file_service_pb2.GetFileRequest(scope=scope_to_proto(scope), file_id=file_id)
        return _file_to_json((await self._stub.GetFile(request, timeout=self._timeout)).file)

    async def read(self, scope: Scope, file_id: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a range, part by part; ends early where the content does."""
        end = offset + length
        while offset < end:
            request = file_service_pb2.ReadFileRequest(
                scope=scope_to_proto(scope),
                file_id=file_id,
                offset=offset,
                length=min(_PART_BYTES, end - offset),
            )
            data = (await self._stub.ReadFile(request, timeout=self._timeout)).data
            if not data:
                return
            yield data
            offset += len(data)

    async def page(self, scope: Scope, query: ListQuery) -> tuple[list[dict[str, Json]], int]:
        """A page of files, and how many match."""
        request = file_service_pb2.ListFilesRequest(scope=scope_to_proto(scope), query=query_to_proto(query))
        answer = await self._stub.ListFiles(request, timeout=self._timeout)
        return [_file_to_json(each) for each in answer.files], answer.total

    async def delete(self, scope: Scope, file_id: str) -> None:
        """Remove a file. Raises NotFound."""
        request = file_service_pb2.DeleteFileRequest(scope=scope_to_proto(scope), file_id=file_id)
        await self._stub.DeleteFile(request, timeout=self._timeout)

    async def delete_some(self, scope: Scope, query: ListQuery) -> tuple[int, int]:
        """Remove some of the files that the query finds; how many, and how many are left. Raises BadRequest."""
        request = file_service_pb2.DeleteFilesRequest(scope=scope_to_proto(scope), query=query_to_proto(query))
        answer = await self._stub.DeleteFiles(request, timeout=self._timeout)
        return answer.deleted, answer.remaining


def _file_to_json(file: file_service_pb2.File) -> dict[str, Json]:
    return {
        "fileId": file.file_id,
        "filename": file.filename,
        "length": file.size_bytes,
        "chunkSize": CHUNK_BYTES,
        "uploadDate": moment(file, "uploaded_at"),
        "sha256": file.sha256,
        "contentType": file.content_type,
        "metadata": {**json_object(file.metadata), "userId": file.tenant_id},
    }
