/** Files of the flow's user, as components read and write them. */

import { Readable } from 'node:stream';

import { CancelError } from './failures.js';
import { bytesOf } from './http.js';
import { zipped } from './zip.js';

const ZIP = 'application/zip';
const PIECE = 1024 * 1024;
const LONGEST = 100 * 1024 * 1024; // of what is replaced, which goes at once

/** @param {import('./host.js').Ask} ask */
export function filesOf(ask) {
    /** @param {string} fileId */
    async function* pieces(fileId) {
        for (let offset = 0; ;) {
            const piece = await ask.file('read', { fileId: String(fileId), offset });
            offset += piece.length;
            if (piece.length) {
                yield Buffer.from(piece);
            }
            if (piece.length < PIECE) {
                return;
            }
        }
    }
    const info = async (/** @type {string} */ fileId) => described(await ask.file('info', { fileId: String(fileId) }));
    const stream = async (/** @type {string} */ fileId) => {
        await info(fileId); // who asks for a file that is not there hears so at once
        return Readable.from(pieces(fileId), { objectMode: false });
    };
    const replace = async (/** @type {string} */ fileId, /** @type {any} */ content, /** @type {string} */ filename) =>
        described(await ask.file('replace', { fileId: String(fileId), filename, content: await gathered(content) }));
    /** @param {string} filename @param {any} content @param {string} [contentType] */
    const save = async (filename, content, contentType) => {
        if (!isStream(content)) {
            return described(await ask.file('save', { filename, contentType, content: await gathered(content) }));
        }
        const uploadId = await ask.file('open', { filename, contentType });
        let offset = 0;
        for await (const piece of inPieces(content)) {
            await ask.file('write', { uploadId, offset, content: piece });
            offset += piece.length;
        }
        return described(await ask.file('finish', { uploadId }));
    };
    /** Files by names that an archive may have, each once. @param {any[]} infos */
    const entries = (infos) => {
        const taken = new Set();
        return infos.map(({ fileId, filename }) => {
            const name = placeOf(filename, taken);
            return { name, content: () => stream(fileId) };
        });
    };
    /** @param {string | string[]} given @param {string} [filename] */
    const archive = async (given, filename) => {
        const infos = await Promise.all([given].flat().map((each) => info(each)));
        if (!infos.length) {
            throw new CancelError('An archive has at least one file.');
        }
        const packed = Readable.from(zipped(entries(infos)), { objectMode: false });
        const name = filename ?? `${infos[0].filename}.zip`;
        if (Array.isArray(given)) {
            return save(name, packed, ZIP);
        }
        return described(await ask.file('replace', { fileId: given, filename: name, contentType: ZIP, content: await gathered(packed) }));
    };
    return {
        archiveFile: archive,
        loadFile: async (/** @type {string} */ fileId) => {
            const found = [];
            for await (const piece of pieces(fileId)) {
                found.push(piece);
            }
            return Buffer.concat(found);
        },
        getFileInfo: info,
        getFileReadStream: stream,
        readFileStream: stream,
        saveFile: (/** @type {string} */ filename, /** @type {string} */ contentType, /** @type {any} */ content) =>
            save(filename, content, contentType),
        saveFileStream: (/** @type {string} */ filename, /** @type {any} */ content, /** @type {string} */ fileId) =>
            fileId ? replace(fileId, content, filename) : save(filename, content),
        replaceFileStream: (/** @type {string} */ fileId, /** @type {any} */ content) => replace(fileId, content, /** @type {any} */ (undefined)),
        removeFile: (/** @type {string} */ fileId) => ask.file('remove', { fileId: String(fileId) })
    };
}

/** @param {string} filename @param {Set<string>} taken by others @returns {string} without a way out of the archive */
function placeOf(filename, taken) {
    const plain = filename.split(/[\\/]/).pop()?.replace(/^\.+$/, '') || 'file';
    const [, stem, ending] = /** @type {string[]} */ (/^(.*?)(\.[^.]*)?$/s.exec(plain));
    let name = plain;
    for (let number = 2; taken.has(name); number += 1) {
        name = `${stem} ${number}${ending ?? ''}`;
    }
    taken.add(name);
    return name;
}

/** @param {any} given */
function isStream(given) {
    const isBytes = typeof given === 'string' || ArrayBuffer.isView(given) || given instanceof ArrayBuffer;
    return !isBytes && (typeof given?.pipe === 'function' || typeof given?.[Symbol.asyncIterator] === 'function');
}

/** What a stream gives, in pieces of one size but for the last. @param {any} given @returns {AsyncGenerator<Buffer>} */
async function* inPieces(given) {
    const stream = typeof given[Symbol.asyncIterator] === 'function' ? given : new Readable().wrap(given);
    /** @type {Buffer[]} */
    let waiting = [];
    let size = 0;
    for await (const chunk of stream) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        waiting.push(bytes);
        size += bytes.length;
        while (size >= PIECE) {
            const all = Buffer.concat(waiting);
            yield all.subarray(0, PIECE);
            waiting = [all.subarray(PIECE)];
            size -= PIECE;
        }
    }
    if (size) {
        yield Buffer.concat(waiting);
    }
}

/** @param {any} given a stream, a Buffer, a text @returns {Promise<Buffer>} */
async function gathered(given) {
    if (typeof given === 'string') {
        return Buffer.from(given);
    }
    if (given instanceof ArrayBuffer || ArrayBuffer.isView(given)) {
        return bytesOf(given);
    }
    if (!isStream(given)) {
        throw new CancelError('A file is saved from a stream, a Buffer or a text.');
    }
    const found = [];
    let size = 0;
    for await (const piece of inPieces(given)) {
        size += piece.length;
        if (size > LONGEST) {
            throw new CancelError(`A file that a component replaces has at most ${LONGEST} bytes.`);
        }
        found.push(piece);
    }
    return Buffer.concat(found);
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
