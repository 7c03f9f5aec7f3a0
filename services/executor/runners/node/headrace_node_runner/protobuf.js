/**
 * Messages on the wire, by a contract that the executor hands over: every message with its fields. So both sides always
 * speak of the same fields, and nothing is generated or installed here.
 *
 * Decoded messages are plain objects with fields named as in the .proto files. A field that is not there has its type's
 * zero value; a message or an `optional` field that is not there is undefined. 64-bit numbers become JavaScript numbers.
 *
 * @typedef {{number: number, name: string, type: string, message?: string, repeated?: boolean, map?: boolean,
 *   optional?: boolean}} Field
 * @typedef {Record<string, Field[]>} Contract
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export class Codec {
    /** @param {Contract} contract */
    constructor(contract) {
        this.contract = contract;
        /** @type {Map<string, Map<number, Field>>} */
        this.byNumber = new Map(
            Object.entries(contract).map(([name, fields]) => [name, new Map(fields.map((each) => [each.number, each]))])
        );
    }

    /** @param {string} name of the message @param {Record<string, any>} value @returns {Buffer} */
    encode(name, value) {
        /** @type {Buffer[]} */
        const parts = [];
        for (const field of this.contract[name]) {
            const given = value[field.name];
            if (given === undefined || given === null) {
                continue;
            }
            if (field.map) {
                for (const [key, each] of Object.entries(given)) {
                    this.write(parts, field, { key, value: each });
                }
            } else if (field.repeated) {
                for (const each of given) {
                    this.write(parts, field, each);
                }
            } else if (field.optional || field.message || !isZero(given)) {
                this.write(parts, field, given);
            }
        }
        return Buffer.concat(parts);
    }

    /** @param {Buffer[]} parts @param {Field} field @param {any} value */
    write(parts, field, value) {
        switch (field.type) {
            case 'varint':
            case 'bool':
                parts.push(varint(field.number * 8 + VARINT), varint(Number(value)));
                break;
            case 'double': {
                const written = Buffer.alloc(8);
                written.writeDoubleLE(value);
                parts.push(varint(field.number * 8 + FIXED64), written);
                break;
            }
            default: {
                const content = field.message
                    ? this.encode(field.message, value)
                    : Buffer.isBuffer(value) ? value : Buffer.from(value);
                parts.push(varint(field.number * 8 + BYTES), varint(content.length), content);
            }
        }
    }

    /** @param {string} name of the message @param {Buffer} data @returns {Record<string, any>} */
    decode(name, data) {
        const known = /** @type {Map<number, Field>} */ (this.byNumber.get(name));
        const value = this.empty(name);
        const reader = new Reader(data);
        while (reader.at < data.length) {
            const key = reader.varint();
            const field = known.get(key >>> 3);
            const found = reader.value(key & 7);
            if (field === undefined) {
                continue;
            }
            if (field.repeated && Buffer.isBuffer(found) && (field.type === 'varint' || field.type === 'bool')) {
                const packed = new Reader(found);
                while (packed.at < found.length) {
                    value[field.name].push(plain(field, packed.varint()));
                }
                continue;
            }
            /** @type {any} */
            const read = field.message ? this.decode(field.message, /** @type {Buffer} */ (found)) : plain(field, found);
            if (field.map) {
                value[field.name][read.key] = read.value;
            } else if (field.repeated) {
                value[field.name].push(read);
            } else {
                value[field.name] = read;
            }
        }
        return value;
    }

    /** @param {string} name @returns {Record<string, any>} */
    empty(name) {
        /** @type {Record<string, any>} */
        const value = {};
        for (const field of this.contract[name]) {
            if (field.map) {
                value[field.name] = {};
            } else if (field.repeated) {
                value[field.name] = [];
            } else if (!field.message && !field.optional) {
                value[field.name] = ZERO[field.type]();
            }
        }
        return value;
    }
}

/** @type {Record<string, () => any>} */
const ZERO = {
    varint: () => 0,
    bool: () => false,
    double: () => 0,
    string: () => '',
    bytes: () => Buffer.alloc(0)
};

class Reader {
    /** @param {Buffer} data */
    constructor(data) {
        this.data = data;
        this.at = 0;
    }

    varint() {
        let low = 0n;
        let shift = 0n;
        let quick = 0;
        for (let count = 0; count < 10; count += 1) {
            const byte = this.data[this.at];
            if (byte === undefined) {
                throw new Error('A message on the wire is cut short.');
            }
            this.at += 1;
            if (count < 4) {
                quick |= (byte & 0x7f) << (7 * count);
                if (byte < 0x80) {
                    return quick;
                }
            }
            low |= BigInt(byte & 0x7f) << shift;
            shift += 7n;
            if (byte < 0x80) {
                return Number(BigInt.asIntN(64, low));
            }
        }
        throw new Error('A number on the wire is too long.');
    }

    /** @param {number} kind @returns {number | Buffer} */
    value(kind) {
        switch (kind) {
            case VARINT:
                return this.varint();
            case FIXED64:
                return this.bytes(8).readDoubleLE();
            case BYTES:
                return this.bytes(this.varint());
            case FIXED32:
                return this.bytes(4).readFloatLE();
            default:
                throw new Error(`A message on the wire has a field of the unknown kind ${kind}.`);
        }
    }

    /** @param {number} length */
    bytes(length) {
        const end = this.at + length;
        if (length < 0 || end > this.data.length) {
            throw new Error('A message on the wire is cut short.');
        }
        const found = this.data.subarray(this.at, end);
        this.at = end;
        return found;
    }
}

/** @param {Field} field @param {number | Buffer} found */
function plain(field, found) {
    if (field.type === 'bool') {
        return Boolean(found);
    }
    return field.type === 'string' ? /** @type {Buffer} */ (found).toString('utf8') : found;
}

/** @param {number} value @returns {Buffer} */
function varint(value) {
    const bytes = [];
    let left = value < 0 ? BigInt.asUintN(64, BigInt(value)) : BigInt(Math.trunc(value));
    while (left > 0x7fn) {
        bytes.push(Number(left & 0x7fn) | 0x80);
        left >>= 7n;
    }
    bytes.push(Number(left));
    return Buffer.from(bytes);
}

/** @param {any} value */
function isZero(value) {
    return value === 0 || value === false || value === '' || (Buffer.isBuffer(value) && value.length === 0);
}
