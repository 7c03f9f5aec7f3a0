/**
 * gRPC over a Unix socket, as far as executor and runner need it, on HTTP/2 as Node has it: calls of one message each way,
 * and answers of several messages.
 */

import http2 from 'node:http2';
import net from 'node:net';

export /** What waits to be sent counts as memory of the connection, and past this no new call is let in, not even a beat. */
const SESSION_MEGABYTES = 512;

const STATUS = { OK: 0, CANCELLED: 1, UNKNOWN: 2, DEADLINE: 4, UNIMPLEMENTED: 12, INTERNAL: 13, UNAVAILABLE: 14 };

const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
const WINDOW_BYTES = 16 * 1024 * 1024;
const ERROR_KEY = 'headrace-error-bin';
const SETTINGS = { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: 4096 };
const PREFIX_BYTES = 5;
const SERVING = Buffer.from([8, 1]); // of the standard health service

/** An error of the other side, with the code that Headrace gives it. */
export class RemoteError extends Error {
    /** @param {number} status @param {string} message @param {string} code @param {any} details */
    constructor(status, message, code = 'unavailable', details = {}) {
        super(message);
        this.name = 'RemoteError';
        this.status = status;
        this.code = code;
        this.details = details;
    }
}

/**
 * Answer calls at a socket.
 *
 * @param {string} path @param {import('./protobuf.js').Codec} codec @param {string} service full name
 * @param {Record<string, (request: any) => Promise<Record<string, any>>>} methods
 * @param {Record<string, (request: any, send: (value: Record<string, any>) => void) => Promise<void>>} streams what answers
 *   in several messages
 * @returns {Promise<http2.Http2Server>}
 */
export async function serve(path, codec, service, methods, streams = {}) {
    const server = http2.createServer({ settings: SETTINGS, maxSessionMemory: SESSION_MEGABYTES });
    server.on('session', (session) => widen(session));
    server.on('sessionError', () => {});
    server.on('stream', (/** @type {http2.ServerHttp2Stream} */ stream, headers) => {
        stream.on('error', () => {});
        if (headers[':path'] === '/grpc.health.v1.Health/Watch') {
            stayHealthy(stream);
            return;
        }
        const [, called, method] = String(headers[':path']).split('/');
        if (called === service && Object.hasOwn(streams, method)) {
            answerInPieces(stream, codec, `${packageOf(service)}.${method}`, streams[method]);
            return;
        }
        const answer = called === service && Object.hasOwn(methods, method) ? methods[method] : undefined;
        if (answer === undefined) {
            refuse(stream, STATUS.UNIMPLEMENTED, `Nothing here answers ${headers[':path']}.`);
            return;
        }
        collect(stream)
            .then((message) => answer(codec.decode(`${packageOf(service)}.${method}Request`, message)))
            .then((value) => reply(stream, codec.encode(`${packageOf(service)}.${method}Response`, value)))
            .catch((error) => refuse(stream, STATUS.INTERNAL, String(error?.message ?? error)));
    });
    await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, () => resolve(undefined));
    });
    return server;
}

/** Asks a service at a socket. */
export class Caller {
    /** @param {string} path @param {import('./protobuf.js').Codec} codec @param {string} service full name */
    constructor(path, codec, service) {
        this.codec = codec;
        this.service = service;
        this.session = http2.connect('http://localhost', {
            createConnection: () => net.connect(path),
            settings: { initialWindowSize: WINDOW_BYTES },
            maxSessionMemory: SESSION_MEGABYTES
        });
        this.session.on('error', () => {});
        this.session.once('connect', () => widen(this.session));
    }

    /**
     * @param {string} method @param {Record<string, any>} request
     * @param {{timeoutMs: number, signal?: AbortSignal}} options @returns {Promise<Record<string, any>>}
     */
    call(method, request, { timeoutMs, signal }) {
        const name = `${packageOf(this.service)}.${method}`;
        const message = this.codec.encode(`${name}Request`, request);
        return new Promise((resolve, reject) => {
            const stream = this.session.request({
                ':method': 'POST',
                ':path': `/${this.service}/${method}`,
                'content-type': 'application/grpc',
                te: 'trailers',
                'grpc-timeout': `${Math.ceil(timeoutMs)}m`
            });
            /** @type {import('node:http2').IncomingHttpHeaders} */
            let trailers = {};
            const away = () => reject(new RemoteError(STATUS.UNAVAILABLE, 'The executor did not answer.'));
            const stop = () => {
                stream.close(http2.constants.NGHTTP2_CANCEL);
                reject(new RemoteError(STATUS.CANCELLED, 'The call was cancelled.', 'cancelled'));
            };
            signal?.addEventListener('abort', stop, { once: true });
            if (signal?.aborted) {
                stop();
            }
            stream.setTimeout(timeoutMs, () => {
                stream.close(http2.constants.NGHTTP2_CANCEL);
                reject(new RemoteError(STATUS.DEADLINE, `The executor did not answer within ${timeoutMs} ms.`, 'deadline_exceeded'));
            });
            stream.on('response', (headers) => {
                trailers = headers;
            });
            stream.on('trailers', (headers) => {
                trailers = headers;
            });
            stream.on('error', away);
            collect(stream).then((content) => {
                signal?.removeEventListener('abort', stop);
                const status = Number(trailers['grpc-status'] ?? STATUS.UNAVAILABLE);
                if (status === STATUS.OK) {
                    resolve(this.codec.decode(`${name}Response`, content));
                } else {
                    reject(errorOf(status, trailers));
                }
            }, away);
            stream.end(framed(message));
        });
    }
}

/** @param {http2.Http2Session} session */
function widen(session) {
    session.setLocalWindowSize(WINDOW_BYTES);
}

/** @param {number} status @param {import('node:http2').IncomingHttpHeaders} trailers */
function errorOf(status, trailers) {
    const packed = trailers[ERROR_KEY];
    if (typeof packed === 'string') {
        try {
            const { code, message, details } = JSON.parse(Buffer.from(packed, 'base64').toString('utf8'));
            return new RemoteError(status, message, code, details);
        } catch {
            // What cannot be read is told by its status.
        }
    }
    const said = decodeURIComponent(String(trailers['grpc-message'] ?? 'The executor refused.'));
    return new RemoteError(status, said);
}

/** @param {http2.Http2Stream} stream @returns {Promise<Buffer>} the one message of a stream */
function collect(stream) {
    return new Promise((resolve, reject) => {
        /** @type {Buffer[]} */
        const chunks = [];
        let size = 0;
        stream.on('data', (/** @type {Buffer} */ chunk) => {
            size += chunk.length;
            if (size > MAX_MESSAGE_BYTES + PREFIX_BYTES) {
                stream.close(http2.constants.NGHTTP2_CANCEL);
                reject(new Error(`A message has more than ${MAX_MESSAGE_BYTES} bytes.`));
            }
            chunks.push(chunk);
        });
        stream.on('end', () => {
            const all = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
            resolve(all.subarray(Math.min(PREFIX_BYTES, all.length)));
        });
        stream.on('aborted', () => reject(new Error('The call was broken off.')));
        stream.on('close', () => reject(new Error('The call was broken off.')));
        stream.on('error', reject);
    });
}

/** Channels ask for health and listen on: whoever answers at all is well. @param {http2.ServerHttp2Stream} stream */
function stayHealthy(stream) {
    stream.resume();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.write(framed(SERVING));
}

/**
 * @param {http2.ServerHttp2Stream} stream @param {import('./protobuf.js').Codec} codec @param {string} name of the method
 * @param {(request: any, send: (value: Record<string, any>) => void) => Promise<void>} answer
 */
async function answerInPieces(stream, codec, name, answer) {
    let status = STATUS.OK;
    try {
        const request = codec.decode(`${name}Request`, await collect(stream));
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }));
        await answer(request, (value) => {
            if (!stream.closed && !stream.destroyed) {
                stream.write(framed(codec.encode(`${name}Response`, value)));
            }
        });
    } catch (error) {
        status = STATUS.INTERNAL;
        refuse(stream, status, String(/** @type {any} */ (error)?.message ?? error));
    }
    if (!stream.closed && !stream.destroyed) {
        stream.end();
    }
}

/** @param {http2.ServerHttp2Stream} stream @param {Buffer} message */
function reply(stream, message) {
    if (stream.closed || stream.destroyed) {
        return;
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(framed(message));
}

/** @param {http2.ServerHttp2Stream} stream @param {number} status @param {string} message */
function refuse(stream, status, message) {
    if (stream.closed || stream.destroyed || stream.headersSent) {
        return;
    }
    stream.respond(
        {
            ':status': 200,
            'content-type': 'application/grpc',
            'grpc-status': String(status),
            'grpc-message': encodeURIComponent(message.slice(0, 500))
        },
        { endStream: true }
    );
}

/** @param {Buffer} message */
function framed(message) {
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(message.length, 1);
    return Buffer.concat([prefix, message]);
}

/** @param {string} service */
function packageOf(service) {
    return service.slice(0, service.lastIndexOf('.'));
}
