/** What a component asks of the executor, answered from memory: for trials without a platform. */

import { randomUUID } from 'node:crypto';

import { CancelError, Missing } from './failures.js';

/** Has the methods of `host.Ask`. */
export class MemoryAsk {
    /** @param {Record<string, any>} state of the node */
    constructor(state) {
        /** @type {Record<string, Map<string, any>>} */
        this.rooms = { node: new Map(Object.entries(state ?? {})), flow: new Map(), service: new Map(), run: new Map() };
        /** @type {Map<string, {name: string, records: Map<string, any>}>} */
        this.stores = new Map();
        /** @type {Map<string, {info: any, content: Buffer}>} */
        this.files = new Map();
        /** @type {{port: string, content: Buffer}[]} */
        this.sent = [];
        this.held = new Set();
    }

    /** @param {string} room @param {string} verb @param {string} key @param {any} value */
    async state(room, verb, key = '', value = null) {
        const kept = this.rooms[room];
        const list = () => {
            const found = kept.get(key) ?? [];
            if (!Array.isArray(found)) {
                throw new CancelError(`${JSON.stringify(key)} is no list.`);
            }
            return found.filter((each) => !same(each, value));
        };
        switch (verb) {
            case 'get':
                return kept.has(key) ? [copied(kept.get(key))] : [];
            case 'all':
                return copied(Object.fromEntries(kept));
            case 'set':
                kept.set(key, copied(value));
                return null;
            case 'unset':
                kept.delete(key);
                return null;
            case 'clear':
                kept.clear();
                return null;
            case 'replace':
                kept.clear();
                Object.entries(copied(value)).forEach(([name, each]) => kept.set(name, each));
                return null;
            case 'inc':
                kept.set(key, (kept.get(key) ?? 0) + value);
                return kept.get(key);
            case 'add':
                kept.set(key, (kept.get(key) ?? []).some((/** @type {any} */ each) => same(each, value)) ? kept.get(key) : [...list(), copied(value)]);
                return copied(kept.get(key));
            default:
                kept.set(key, list());
                return copied(kept.get(key));
        }
    }

    /** @param {string} verb @param {any} given */
    async store(verb, given = {}) {
        if (verb === 'list_stores') {
            return [...this.stores].map(([storeId, { name }]) => ({ storeId, name }));
        }
        if (verb === 'create_store') {
            const storeId = randomUUID();
            this.stores.set(storeId, { name: given.name, records: new Map() });
            return { storeId, name: given.name };
        }
        const { store_id: storeId, key } = given;
        const records = this.stores.get(storeId)?.records;
        if (records === undefined) {
            throw new CancelError(`There is no store ${JSON.stringify(storeId)}.`);
        }
        switch (verb) {
            case 'get':
                return copied(records.get(key) ?? null);
            case 'set': {
                const before = records.get(key);
                records.set(key, { key, value: copied(given.value), storeId });
                return { ...copied(records.get(key)), ...(before ? { oldValue: before.value } : {}) };
            }
            case 'remove':
                return records.delete(key);
            case 'clear': {
                const count = records.size;
                records.clear();
                return count;
            }
            case 'find': {
                const named = [...records.values()].filter((each) => !given.pattern || each.key.toLowerCase().includes(given.pattern.toLowerCase()));
                return copied(named.filter((each) => meets(each, given.query ?? [])).slice(given.offset, given.offset + given.limit));
            }
            default:
                return null;
        }
    }

    /** @param {string} verb @param {any} given */
    async file(verb, { fileId, filename, contentType, content = Buffer.alloc(0), offset = 0, uploadId } = {}) {
        if (verb === 'save' || verb === 'open') {
            const id = randomUUID();
            this.keep(id, filename ?? '', contentType, content);
            return verb === 'open' ? id : this.files.get(id)?.info;
        }
        const found = this.files.get(uploadId ?? fileId);
        if (found === undefined) {
            throw new CancelError(`There is no file ${JSON.stringify(fileId)}.`);
        }
        const { info } = found;
        switch (verb) {
            case 'write':
                this.keep(uploadId, info.filename, info.content_type, Buffer.concat([found.content, content]));
                return null;
            case 'replace':
                this.keep(fileId, filename ?? info.filename, contentType ?? info.content_type, content);
                return this.files.get(fileId)?.info;
            case 'read':
                return found.content.subarray(offset, offset + 1024 * 1024);
            case 'remove':
                this.files.delete(fileId);
                return null;
            default:
                return info;
        }
    }

    /** @param {string} id @param {string} filename @param {string | undefined} type @param {Buffer} content */
    keep(id, filename, type, content) {
        const info = { file_id: id, filename, size_bytes: content.length, content_type: type ?? 'application/octet-stream', sha256: '' };
        this.files.set(id, { info, content: Buffer.from(content) });
    }

    /** @param {{port: string, content: Buffer}[]} outputs */
    async outputs(outputs) {
        this.sent.push(...outputs);
    }

    /** @param {{verb: string, name: string}} given */
    async lock({ verb, name }) {
        if (verb === 'release') {
            this.held.delete(name);
        } else if (verb === 'acquire') {
            if (this.held.has(name)) {
                throw new Error(`locked: ${name}`);
            }
            this.held.add(name);
        }
        return name;
    }

    async setTimeout() {
        return randomUUID();
    }

    async clearTimeout() {
        return undefined;
    }

    async listen() {
        return null;
    }

    async tell() {
        return undefined;
    }

    async scope() {
        return { _walkthrough: [] };
    }

    async offers() {
        return [];
    }

    async api() {
        throw new Missing('context.callAppmixer', 'nothing answers in a trial.');
    }

    async ask() {
        throw new Missing('What the component asks for', 'nothing answers in a trial.');
    }

    knows() {
        return true;
    }
}

/** @param {any} record @param {{field: string, operator: string, value: any}[]} query */
function meets(record, query) {
    return query.every(({ field, operator, value }) => {
        const found = field.split('.').reduce((/** @type {any} */ place, part) => place?.[part], record);
        switch (operator) {
            case 'greater':
                return found > value;
            case 'less':
                return found < value;
            case 'not_equal':
                return !same(found, value);
            case 'match':
                return new RegExp(value).test(String(found));
            default:
                return same(found, value);
        }
    });
}

/** @param {any} one @param {any} other */
function same(one, other) {
    return JSON.stringify(one) === JSON.stringify(other);
}

/** @param {any} value */
function copied(value) {
    return value === undefined ? undefined : structuredClone(value);
}
