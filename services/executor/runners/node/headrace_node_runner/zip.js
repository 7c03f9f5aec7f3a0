/** A ZIP archive as a stream: each file is read when its turn comes, and is never in memory as a whole. */

import { createDeflateRaw } from 'node:zlib';

import { CancelError } from './failures.js';

const LARGEST = 0xffffffff; // what fits into the fields of an archive without extensions
const MOST_FILES = 1000;
const NOON_1980 = 0x00216000; // archives of equal files are equal
const UTF8_AND_SIZES_BEHIND = 0x0808;
const DEFLATED = 8;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1) {
        value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    }
    return value >>> 0;
});

/**
 * @param {Iterable<{name: string, content: () => Promise<AsyncIterable<Buffer>>}>} files
 * @returns {AsyncGenerator<Buffer>}
 */
export async function* zipped(files) {
    const entries = [];
    let offset = 0;
    for (const { name, content } of files) {
        if (entries.length >= MOST_FILES) {
            throw new CancelError(`An archive has at most ${MOST_FILES} files.`);
        }
        const entry = { name: Buffer.from(name), offset, crc: 0, packed: 0, size: 0 };
        const head = headOf(entry);
        yield head;
        const pieces = deflated(await content(), entry);
        for await (const piece of pieces) {
            yield piece;
        }
        yield behindOf(entry);
        offset += head.length + entry.packed + 16;
        checkSize(offset);
        checkSize(entry.size);
        entries.push(entry);
    }
    let length = 0;
    for (const entry of entries) {
        const listed = listedOf(entry);
        length += listed.length;
        yield listed;
    }
    yield endOf(entries.length, length, offset);
}

/** @typedef {{name: Buffer, offset: number, crc: number, packed: number, size: number}} Entry */

/** @param {AsyncIterable<Buffer>} content @param {Entry} entry @returns {AsyncGenerator<Buffer>} */
async function* deflated(content, entry) {
    const packer = createDeflateRaw();
    const feed = async () => {
        let crc = 0xffffffff;
        for await (const chunk of content) {
            for (const byte of chunk) {
                crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
            }
            entry.size += chunk.length;
            if (!packer.write(chunk)) {
                await new Promise((resolve) => packer.once('drain', resolve));
            }
        }
        entry.crc = (crc ^ 0xffffffff) >>> 0;
        packer.end();
    };
    const fed = feed().catch((error) => packer.destroy(error));
    for await (const piece of packer) {
        entry.packed += piece.length;
        yield piece;
    }
    await fed;
}

/** @param {Entry} entry */
function headOf({ name }) {
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    common(head, 4);
    head.writeUInt16LE(name.length, 26);
    return Buffer.concat([head, name]);
}

/** @param {Entry} entry */
function behindOf({ crc, packed, size }) {
    const behind = Buffer.alloc(16);
    behind.writeUInt32LE(0x08074b50, 0);
    [crc, packed, size].forEach((each, place) => behind.writeUInt32LE(each, 4 + 4 * place));
    return behind;
}

/** @param {Entry} entry */
function listedOf({ name, offset, crc, packed, size }) {
    const listed = Buffer.alloc(46);
    listed.writeUInt32LE(0x02014b50, 0);
    listed.writeUInt16LE(20, 4);
    common(listed, 6);
    [crc, packed, size].forEach((each, place) => listed.writeUInt32LE(each, 16 + 4 * place));
    listed.writeUInt16LE(name.length, 28);
    listed.writeUInt32LE(offset, 42);
    return Buffer.concat([listed, name]);
}

/** What the head of a file and its entry in the list have alike. @param {Buffer} into @param {number} at */
function common(into, at) {
    into.writeUInt16LE(20, at);
    into.writeUInt16LE(UTF8_AND_SIZES_BEHIND, at + 2);
    into.writeUInt16LE(DEFLATED, at + 4);
    into.writeUInt32LE(NOON_1980, at + 6);
}

/** @param {number} count @param {number} length @param {number} offset */
function endOf(count, length, offset) {
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(count, 8);
    end.writeUInt16LE(count, 10);
    end.writeUInt32LE(length, 12);
    end.writeUInt32LE(offset, 16);
    return end;
}

/** @param {number} size */
function checkSize(size) {
    if (size > LARGEST) {
        throw new CancelError('An archive and each of its files have at most 4 GiB.');
    }
}
