/**
 * `context.db.coreCollection`: what a plugin may see of the platform's own records, to be read and nothing else. It sees
 * flows that its service has a part in, by their ids, and the state of its service. A collection that the platform does
 * not have is an empty one.
 */

import { Cursor } from './database.js';
import { fits } from './documents.js';
import { Missing } from './failures.js';

const HIDDEN = {
    accounts: 'accounts are their users\'; a component has its own in context.auth',
    accountComponent: 'accounts are their users\'; a component has its own in context.auth',
    users: 'a route learns of its caller by context.http.auth.getUser',
    config: 'the configuration of the service is context.config'
};

/** @typedef {import('./documents.js').Document} Document */

/** @param {any} ask @param {string} name */
export function coreCollection(ask, name) {
    const why = Object.hasOwn(HIDDEN, name) ? /** @type {any} */ (HIDDEN)[name] : undefined;
    if (why !== undefined) {
        throw new Missing(`context.db.coreCollection(${name})`, `${why}.`);
    }
    const read = Object.hasOwn(VIEWS, name) ? /** @type {any} */ (VIEWS)[name] : async () => [];
    const all = async (/** @type {Document} */ filter) => {
        const found = await read(ask, filter);
        return found.filter((/** @type {Document} */ each) => fits(each, filter));
    };
    const find = (/** @type {Document} */ filter = {}, options = {}) => new Cursor(() => all(filter), options);
    const refuse = (/** @type {string} */ verb) => () => {
        throw new Missing(`coreCollection(${name}).${verb}`, 'what the platform keeps is to be read.');
    };
    return {
        find,
        findOne: async (/** @type {Document} */ filter = {}, options = {}) => find(filter, { ...options, limit: 1 }).next(),
        countDocuments: async (/** @type {Document} */ filter = {}) => (await all(filter)).length,
        count: async (/** @type {Document} */ filter = {}) => (await all(filter)).length,
        ...Object.fromEntries(WRITES.map((verb) => [verb, refuse(verb)]))
    };
}

const WRITES = [
    'insertOne', 'insertMany', 'updateOne', 'updateMany', 'replaceOne', 'findOneAndUpdate', 'findOneAndDelete', 'deleteOne',
    'deleteMany', 'bulkWrite', 'createIndex', 'createIndexes', 'aggregate', 'drop'
];

const VIEWS = {
    /** @param {any} ask @param {Document} filter */
    flows: async (ask, filter) => {
        const wanted = filter.flowId;
        const ids = typeof wanted === 'string' ? [wanted] : wanted?.$in;
        if (!Array.isArray(ids)) {
            throw new Missing('coreCollection(flows) without a flowId', 'a plugin sees flows by their ids.');
        }
        const found = await Promise.all(ids.map((each) => ask.flow(String(each))));
        return found.filter((each) => each !== null);
    },
    /** @param {any} ask */
    serviceState: async (ask) =>
        Object.entries(await ask.state('service', 'all')).map(([key, value]) => ({ _id: key, key, value }))
};
