/** Files of the flow's user, as components read and write them. */

import { Readable } from 'node:stream';

import { CancelError } from './failures.js';
import { bytesOf } from './http.js';

const LONGEST = 100 * 1024 * 1024;

/** @param {import('./host.js').Ask} ask */
export function filesOf(ask) {
    /** @param {string} fileId */
    const load = async (fileId) => {
        const content = await ask.file('load', { fileId: String(fileId) });
        return Buffer.from(content);
    };
    const info = async (/** @type {string} */ fileId) => described(await ask.file('info', { fileId: String(fileId) }));
    const replace = async (/** @type {string} */ fileId, /** @type {any} */ content) =>
        described(await ask.file('replace', { fileId: String(fileId), content: await gathered(content) }));
    return {
        loadFile: load,
        getFileInfo: info,
        getFileReadStream: async (/** @type {string} */ fileId) => readStream(await load(fileId)),
        readFileStream: async (/** @type {string} */ fileId) => readStream(await load(fileId)),
        saveFile: async (/** @type {string} */ filename, /** @type {string} */ contentType, /** @type {any} */ content) =>
            described(await ask.file('save', { filename, contentType, content: await gathered(content) })),
        saveFileStream: async (/** @type {string} */ filename, /** @type {any} */ content, /** @type {string} */ fileId) =>
            fileId
                ? described(await ask.file('replace', { fileId, filename, content: await gathered(content) }))
                : described(await ask.file('save', { filename, content: await gathered(content) })),
        replaceFileStream: replace,
        removeFile: (/** @type {string} */ fileId) => ask.file('remove', { fileId: String(fileId) })
    };
}

/** @param {Buffer} content */
function readStream(content) {
    const size = 64 * 1024;
    const pieces = [];
    for (let at = 0; at < content.length; at += size) {
        pieces.push(content.subarray(at, at + size));
    }
    return Readable.from(pieces, { objectMode: false });
}

/** @param {any} given a stream, a Buffer, a text @returns {Promise<Buffer>} */
async function gathered(given) {
    if (typeof given === 'string') {
        return Buffer.from(given);
    }
    if (given instanceof ArrayBuffer || ArrayBuffer.isView(given)) {
        return bytesOf(given);
    }
    const isStream = typeof given?.pipe === 'function' || typeof given?.[Symbol.asyncIterator] === 'function';
    if (!isStream) {
        throw new CancelError('A file is saved from a stream, a Buffer or a text.');
    }
    const chunks = [];
    let size = 0;
    const stream = typeof given[Symbol.asyncIterator] === 'function' ? given : new Readable().wrap(given);
    for await (const chunk of stream) {
        const piece = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        size += piece.length;
        if (size > LONGEST) {
            throw new CancelError(`A file that a component saves has at most ${LONGEST} bytes.`);
        }
        chunks.push(piece);
    }
    return Buffer.concat(chunks);
}

/** @param {any} info */
function described(info) {
    return {
        fileId: info.file_id,
        filename: info.filename,
        length: info.size_bytes,
        contentType: info.content_type,
        encoding: '',
        sha256: info.sha256,
        metadata: { filename: info.filename, contentType: info.content_type }
    };
}
