/** `context.store`: the data stores of the flow's user. */

import { CancelError } from './failures.js';

const PAGE = 100;
const MOST_FOUND = 10_000;
const EVENTS = ['insert', 'update', 'delete'];
const OPERATORS = { $gt: 'greater', $lt: 'less', $ne: 'not_equal', $eq: 'equal', $regex: 'match' };

/** @param {import('./host.js').Ask} ask */
export function storesOf(ask) {
    /** @param {string} storeId @param {any} wanted @param {number} offset @param {number} limit */
    const page = (storeId, wanted, offset, limit) => {
        const pattern = typeof wanted === 'string' ? wanted : null;
        const query = pattern === null ? conditionsOf(wanted) : [];
        return ask.store('find', { store_id: String(storeId), pattern, query, offset, limit });
    };
    return {
        listStores: () => ask.store('list_stores'),
        createStore: (/** @type {string} */ name) => ask.store('create_store', { name }),
        get: (/** @type {string} */ storeId, /** @type {any} */ key) =>
            ask.store('get', { store_id: String(storeId), key: String(key) }),
        set: (/** @type {string} */ storeId, /** @type {any} */ key, /** @type {any} */ value) =>
            ask.store('set', { store_id: String(storeId), key: String(key), value: value ?? null }),
        remove: (/** @type {string} */ storeId, /** @type {any} */ key) =>
            ask.store('remove', { store_id: String(storeId), key: String(key) }),
        clear: (/** @type {string} */ storeId) => ask.store('clear', { store_id: String(storeId) }),
        /** @param {string} storeId @param {any} [wanted] a pattern of the key, or a query @returns {Promise<any[]>} */
        find: async (storeId, wanted) => {
            const found = [];
            for (let offset = 0; offset < MOST_FOUND; offset += PAGE) {
                const records = await page(storeId, wanted, offset, PAGE);
                found.push(...records);
                if (records.length < PAGE) {
                    break;
                }
            }
            return found;
        },
        getCursor: async (/** @type {string} */ storeId, /** @type {any} */ query, /** @type {any} */ options) =>
            cursor((offset, limit) => page(storeId, query, offset, limit), options),
        registerWebhook: (/** @type {string} */ storeId, /** @type {string[]} */ events) =>
            ask.store('listen', { store_id: String(storeId), events: events ?? EVENTS }),
        unregisterWebhook: (/** @type {string} */ storeId) => ask.store('unlisten', { store_id: String(storeId) })
    };
}

/** @param {(offset: number, limit: number) => Promise<any[]>} read @param {{limit?: number, skip?: number}} [options] */
function cursor(read, { limit = Infinity, skip = 0 } = {}) {
    async function* records() {
        for (let at = 0; at < limit;) {
            const found = await read(skip + at, Math.min(PAGE, limit - at));
            yield* found;
            at += found.length;
            if (found.length < PAGE) {
                return;
            }
        }
    }
    const all = records();
    return {
        next: async () => (await all.next()).value ?? null,
        toArray: async () => {
            const found = [];
            for await (const each of all) {
                found.push(each);
            }
            return found;
        },
        close: async () => {
            await all.return(undefined);
        },
        [Symbol.asyncIterator]: () => all
    };
}

/** @param {any} query as for MongoDB: names with values or with one comparison */
function conditionsOf(query) {
    const conditions = [];
    for (const [field, wanted] of Object.entries(query ?? {})) {
        const isComparison = wanted !== null && typeof wanted === 'object' && Object.keys(wanted).some((each) => each.startsWith('$'));
        for (const [name, value] of isComparison ? Object.entries(wanted) : [['$eq', wanted]]) {
            const operator = /** @type {any} */ (OPERATORS)[name];
            if (operator === undefined) {
                throw new CancelError(`A data store cannot be asked by ${name}: ${Object.keys(OPERATORS).join(', ')} are known.`);
            }
            conditions.push({ field, operator, value });
        }
    }
    return conditions;
}
