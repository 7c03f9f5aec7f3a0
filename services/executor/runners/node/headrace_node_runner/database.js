/**
 * `context.db` of a plugin: collections of documents, as MongoDB's clients speak of them.
 *
 * Each collection is a data store of the plugin's own, with a record for each document. What a filter means is looked for
 * here, in all of its documents, so a collection is bounded; who changes documents holds a lock of the collection.
 */

import { randomBytes } from 'node:crypto';

import { aggregated } from './aggregation.js';
import { lock } from './context.js';
import { coreCollection } from './core.js';
import { fits, packed, projected, seedOf, sorted, unpacked, updated, valueAt } from './documents.js';
import { CancelError } from './failures.js';
import { modelOver } from './models.js';
import { queryBuilder } from './queries.js';

const PAGE = 500;
const MOST_DOCUMENTS = 10_000;
const AT_ONCE = 8;
const MOST_INDEXES = 20;
const PREFIX = 'collection ';
const INDEXES = 'indexes of collections';
const NAME = /^[\w.-]{1,100}$/;

/** @typedef {import('./documents.js').Document} Document */
/** @typedef {{key: any, unique: boolean, sparse: boolean, name: string}} Index */

/** @param {any} ask */
export function databaseOf(ask) {
    /** @type {Map<string, Promise<string>>} */
    const stores = new Map();
    const collection = (/** @type {string} */ name) => new Collection(ask, stores, String(name));
    return {
        collection,
        Model: modelOver(collection),
        coreCollection: (/** @type {string} */ name) => coreCollection(ask, String(name)),
        queryBuilder
    };
}

export class Collection {
    /** @param {any} ask @param {Map<string, Promise<string>>} stores @param {string} name */
    constructor(ask, stores, name) {
        if (!NAME.test(name)) {
            throw new CancelError(`${JSON.stringify(name)} is no name of a collection: letters, digits, _, - and dots are.`);
        }
        this.ask = ask;
        this.stores = stores;
        this.name = name;
    }

    // Reading.

    /** @param {Document} [filter] @param {{projection?: Document, sort?: Document, skip?: number, limit?: number}} [options] */
    find(filter = {}, options = {}) {
        return new Cursor(() => this.all(filter), options);
    }

    /** @param {Document} [filter] @param {any} [options] @returns {Promise<Document | null>} */
    async findOne(filter = {}, options = {}) {
        return this.find(filter, { ...options, limit: 1 }).next();
    }

    /** @param {Document} [filter] */
    async countDocuments(filter = {}) {
        return (await this.all(filter)).length;
    }

    /** @param {Document} [filter] */
    async count(filter = {}) {
        return this.countDocuments(filter);
    }

    /** @param {string} name @param {Document} [filter] */
    async distinct(name, filter = {}) {
        const found = new Map();
        for (const document of await this.all(filter)) {
            const value = document[name];
            [value].flat().forEach((each) => found.set(JSON.stringify(packed(each)), each));
        }
        return [...found.values()];
    }

    /** Stages that write or run code are not known. @param {Document[]} pipeline */
    aggregate(pipeline) {
        return new Cursor(async () => aggregated(await this.all({}), pipeline), {});
    }

    // Writing.

    /** @param {Document} document */
    async insertOne(document) {
        const { insertedIds } = await this.insertMany([document]);
        return { acknowledged: true, insertedId: insertedIds[0] };
    }

    /** @param {Document[]} documents */
    async insertMany(documents) {
        return this.changing(async () => {
            const known = await this.all({});
            documents.forEach((each) => {
                each._id ??= randomBytes(12).toString('hex');
            });
            await this.write(known, documents, true);
            return {
                acknowledged: true, insertedCount: documents.length,
                insertedIds: Object.fromEntries(documents.map(({ _id: id }, index) => [index, id]))
            };
        });
    }

    /** @param {Document} filter @param {Document} update @param {{upsert?: boolean}} [options] */
    async updateOne(filter, update, options = {}) {
        return this.changing(() => this.update(filter, update, { ...options, isOne: true }));
    }

    /** @param {Document} filter @param {Document} update @param {{upsert?: boolean}} [options] */
    async updateMany(filter, update, options = {}) {
        return this.changing(() => this.update(filter, update, options));
    }

    /** @param {Document} filter @param {Document} document @param {{upsert?: boolean}} [options] */
    async replaceOne(filter, document, options = {}) {
        return this.updateOne(filter, document, options);
    }

    /** @param {Document} filter @param {Document} update @param {{upsert?: boolean, returnDocument?: string}} [options] */
    async findOneAndUpdate(filter, update, options = {}) {
        return this.changing(async () => {
            const [before = null] = await this.all(filter);
            const { upsertedId } = await this.update(filter, update, { ...options, isOne: true });
            const id = before?._id ?? upsertedId;
            return options.returnDocument === 'after' && id ? (await this.all({ _id: id }))[0] ?? null : before;
        });
    }

    /** @param {Document} filter */
    async deleteOne(filter) {
        return this.changing(async () => this.remove((await this.all(filter)).slice(0, 1)));
    }

    /** @param {Document} [filter] */
    async deleteMany(filter = {}) {
        return this.changing(async () => this.remove(await this.all(filter)));
    }

    /** @param {Document} filter */
    async findOneAndDelete(filter) {
        return this.changing(async () => {
            const [found = null] = await this.all(filter);
            await this.remove(found ? [found] : []);
            return found;
        });
    }

    /** @param {Document[]} operations */
    async bulkWrite(operations) {
        const counts = { insertedCount: 0, matchedCount: 0, modifiedCount: 0, deletedCount: 0, upsertedCount: 0 };
        for (const operation of operations) {
            const [[name, given]] = Object.entries(operation);
            const done = await this.operation(name, given);
            for (const count of /** @type {(keyof typeof counts)[]} */ (Object.keys(counts))) {
                counts[count] += Number(done[count] ?? (count === 'insertedCount' && done.insertedId ? 1 : 0));
            }
        }
        return { acknowledged: true, ...counts };
    }

    // Indexes. A collection is small enough to be looked through: they say what there is once only.

    /**
     * With `unique` no two documents have the same values of these fields from now on; what is not there counts as null,
     * or with `sparse` not at all.
     * @param {any} keys @param {{unique?: boolean, sparse?: boolean, name?: string}} [options]
     */
    async createIndex(keys, { unique = false, sparse = false, name = Object.entries(keys).flat().join('_') } = {}) {
        const made = { key: keys, unique, sparse, name };
        await this.changing(async () => {
            const kept = [...(await this.indexes()).filter((/** @type {any} */ each) => each.name !== name), made];
            if (kept.length > MOST_INDEXES) {
                throw new CancelError(`A collection has at most ${MOST_INDEXES} indexes.`);
            }
            checkUnique(this.name, [made], await this.all({}));
            await this.keepIndexes(kept);
        });
        return name;
    }

    /** @param {{key: any, unique?: boolean, sparse?: boolean, name?: string}[]} indexes */
    async createIndexes(indexes) {
        const names = [];
        for (const { key, ...options } of indexes) {
            names.push(await this.createIndex(key, options));
        }
        return names;
    }

    /** @param {string} name */
    async dropIndex(name) {
        await this.changing(async () =>
            this.keepIndexes((await this.indexes()).filter((/** @type {any} */ each) => each.name !== name)));
    }

    /** @returns {Promise<Index[]>} */
    async indexes() {
        const found = await this.ask.store('get', { store_id: await this.store(INDEXES), key: this.name });
        return found?.value ?? [];
    }

    /** @param {string | string[]} names */
    async indexExists(names) {
        const known = new Set((await this.indexes()).map(({ name }) => name));
        return [names].flat().every((each) => known.has(each));
    }

    /** @param {Index[]} indexes */
    async keepIndexes(indexes) {
        await this.ask.store('set', { store_id: await this.store(INDEXES), key: this.name, value: indexes });
    }

    async drop() {
        await this.changing(() => this.keepIndexes([]));
        return (await this.deleteMany({})).acknowledged;
    }

    /** @param {string} name @param {any} given @returns {Promise<any>} */
    operation(name, given) {
        switch (name) {
            case 'insertOne':
                return this.insertOne(given.document);
            case 'updateOne':
            case 'updateMany':
                return this[name](given.filter, given.update, { upsert: given.upsert });
            case 'replaceOne':
                return this.replaceOne(given.filter, given.replacement, { upsert: given.upsert });
            case 'deleteOne':
            case 'deleteMany':
                return this[name](given.filter);
            default:
                throw new CancelError(`A collection knows no ${name}.`);
        }
    }

    /** @param {Document} filter @param {Document} update @param {{upsert?: boolean, isOne?: boolean}} options */
    async update(filter, update, { upsert = false, isOne = false }) {
        const everything = await this.all({});
        const found = everything.filter((each) => fits(each, filter)).slice(0, isOne ? 1 : undefined);
        if (!found.length && upsert) {
            const seed = seedOf(filter);
            const made = updated({ ...seed, _id: seed._id ?? update._id ?? randomBytes(12).toString('hex') }, update, true);
            await this.write(everything, [made], true);
            return { acknowledged: true, matchedCount: 0, modifiedCount: 0, upsertedCount: 1, upsertedId: made._id };
        }
        const made = found.map((each) => updated(each, update));
        const changed = made.filter((each, at) => JSON.stringify(packed(each)) !== JSON.stringify(packed(found[at])));
        await this.write(everything, changed, false);
        return { acknowledged: true, matchedCount: found.length, modifiedCount: changed.length, upsertedCount: 0, upsertedId: null };
    }

    // The data store below.

    /** @param {Document} filter @returns {Promise<Document[]>} */
    async all(filter) {
        const store = await this.store();
        const found = [];
        for (let offset = 0; offset < MOST_DOCUMENTS; offset += PAGE) {
            const page = await this.ask.store('find', { store_id: store, pattern: null, query: [], offset, limit: PAGE });
            found.push(...page.map((/** @type {any} */ { value }) => unpacked(value)));
            if (page.length < PAGE) {
                break;
            }
        }
        return found.filter((each) => fits(each, filter));
    }

    /**
     * Keep documents beside those that are known, if all of them may be there.
     * @param {Document[]} known @param {Document[]} documents @param {boolean} areNew
     */
    async write(known, documents, areNew) {
        if (areNew) {
            this.checkRoom(known.length + documents.length);
        }
        const together = new Map(known.map((each) => [String(each._id), each]));
        for (const each of documents) {
            if (areNew && together.has(String(each._id))) {
                throw duplicate(`${this.name} has ${each._id} already.`);
            }
            together.set(String(each._id), each);
        }
        checkUnique(this.name, await this.indexes(), [...together.values()]);
        const store = await this.store();
        await inGroups(documents, (each) =>
            this.ask.store('set', { store_id: store, key: String(each._id), value: packed(each) }));
    }

    /** @param {Document[]} documents */
    async remove(documents) {
        const store = await this.store();
        await inGroups(documents, ({ _id: id }) => this.ask.store('remove', { store_id: store, key: String(id) }));
        return { acknowledged: true, deletedCount: documents.length };
    }

    /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
    async changing(work) {
        const held = await lock(this.ask, `db/${this.name}`, { ttl: 60_000, maxRetryCount: 150 });
        try {
            return await work();
        } finally {
            await held.unlock();
        }
    }

    /** @param {number} wanted */
    checkRoom(wanted) {
        if (wanted > MOST_DOCUMENTS) {
            throw new CancelError(`The collection ${this.name} would have ${wanted} documents: ${MOST_DOCUMENTS} fit.`);
        }
    }

    /** @param {string} [name] @returns {Promise<string>} its id, made where it is not there */
    store(name = `${PREFIX}${this.name}`) {
        let found = this.stores.get(name);
        if (found === undefined) {
            found = this.open(name);
            found.catch(() => this.stores.delete(name));
            this.stores.set(name, found);
        }
        return found;
    }

    /** @param {string} wanted @returns {Promise<string>} */
    async open(wanted) {
        const known = async () => (await this.ask.store('list_stores')).find((/** @type {any} */ { name }) => name === wanted);
        const found = await known();
        if (found) {
            return found.storeId;
        }
        try {
            return (await this.ask.store('create_store', { name: wanted })).storeId;
        } catch (error) {
            const other = await known(); // somebody else was as quick
            if (other) {
                return other.storeId;
            }
            throw error;
        }
    }
}

/** What a filter finds, read when it is first asked for. */
export class Cursor {
    /** @param {() => Promise<Document[]>} read @param {any} options */
    constructor(read, { projection, sort, skip = 0, limit = 0 }) {
        this.read = read;
        this.given = { projection, sort, skip, limit };
        /** @type {Document[] | undefined} */
        this.left = undefined;
    }

    /** @param {Document} order */
    sort(order) {
        this.given.sort = order;
        return this;
    }

    /** @param {number} count */
    skip(count) {
        this.given.skip = count;
        return this;
    }

    /** @param {number} count */
    limit(count) {
        this.given.limit = count;
        return this;
    }

    /** @param {Document} projection */
    project(projection) {
        this.given.projection = projection;
        return this;
    }

    async toArray() {
        const left = await this.rest();
        this.left = [];
        return left;
    }

    async next() {
        return (await this.rest()).shift() ?? null;
    }

    async hasNext() {
        return (await this.rest()).length > 0;
    }

    async count() {
        return (await this.read()).length;
    }

    /** @param {(document: Document) => any} work */
    async forEach(work) {
        for (const each of await this.toArray()) {
            work(each);
        }
    }

    async close() {
        this.left = [];
    }

    async *[Symbol.asyncIterator]() {
        yield* await this.toArray();
    }

    async rest() {
        if (this.left === undefined) {
            const { projection, sort, skip, limit } = this.given;
            const found = sorted(await this.read(), sort ?? {}).slice(skip, limit ? skip + limit : undefined);
            this.left = found.map((each) => projected(each, projection));
        }
        return this.left;
    }
}

/** @param {string} name @param {Index[]} indexes @param {Document[]} documents */
function checkUnique(name, indexes, documents) {
    for (const { key, unique, sparse } of indexes) {
        const seen = new Map();
        for (const document of unique ? documents : []) {
            for (const value of keysOf(document, Object.keys(key), sparse)) {
                if (seen.has(value) && seen.get(value) !== String(document._id)) {
                    throw duplicate(`${name} has two documents with the same ${Object.keys(key).join(', ')}.`);
                }
                seen.set(value, String(document._id));
            }
        }
    }
}

/** The values of some fields; of a list each of its values. @param {Document} document @param {string[]} paths @param {boolean} sparse */
function keysOf(document, paths, sparse) {
    const values = paths.map((path) => valueAt(document, path));
    if (sparse && values.every((each) => each === undefined)) {
        return new Set();
    }
    /** @type {any[][]} */
    let combined = [[]];
    for (const value of values) {
        const each = Array.isArray(value) && value.length ? value : [value ?? null];
        combined = combined.flatMap((known) => each.map((one) => [...known, one]));
    }
    return new Set(combined.map((each) => JSON.stringify(packed(each))));
}

/** @param {string} message */
function duplicate(message) {
    return Object.assign(new Error(`E11000 duplicate key: ${message}`), { code: 11000 });
}

/** @template T @param {T[]} list @param {(each: T) => Promise<any>} work */
async function inGroups(list, work) {
    for (let at = 0; at < list.length; at += AT_ONCE) {
        await Promise.all(list.slice(at, at + AT_ONCE).map(work));
    }
}
