/** `context.db.Model`: documents of a plugin that have a class of their own. */

import { randomBytes } from 'node:crypto';

import { CancelError } from './failures.js';

/** @typedef {import('./documents.js').Document} Document */

/**
 * The base class of documents that have a class of their own.
 * @param {(name: string) => import('./database.js').Collection} collectionOf
 */
export function modelOver(collectionOf) {
    return class Model {
        /** @returns {string} */
        static get collection() {
            throw new CancelError(`${this.name} does not say in which collection it is kept.`);
        }

        static get idProperty() {
            return '_id';
        }

        /** @returns {string[]} */
        static get properties() {
            return [];
        }

        /** @returns {string[]} never part of what is shown */
        static get protectedProperties() {
            return [];
        }

        static createSettersAndGetters() {
            for (const name of this.properties) {
                const title = name[0].toUpperCase() + name.slice(1);
                for (const [verb, method] of Object.entries(accessors(name))) {
                    if (!(`${verb}${title}` in this.prototype)) {
                        Object.defineProperty(this.prototype, `${verb}${title}`, { value: method, writable: true, configurable: true });
                    }
                }
            }
        }

        /** @param {any} keys @param {any} [options] */
        static async createIndex(keys, options) {
            return collectionOf(this.collection).createIndex(keys, options);
        }

        /** @param {Document} [filter] @param {any} [options] */
        static async find(filter, options) {
            return (await collectionOf(this.collection).find(filter, options).toArray()).map((each) => new this().populate(each));
        }

        /** @param {Document} [filter] @param {any} [options] */
        static async findOne(filter, options) {
            const found = await collectionOf(this.collection).findOne(filter, options);
            return found && new this().populate(found);
        }

        /** @param {any} id */
        static async findById(id) {
            return this.findOne({ [this.idProperty]: id });
        }

        /** @param {any} id */
        static async deleteById(id) {
            return collectionOf(this.collection).deleteOne({ [this.idProperty]: id });
        }

        /** @param {Document} [filter] */
        static async deleteMany(filter) {
            return collectionOf(this.collection).deleteMany(filter);
        }

        /** @param {Document} [filter] */
        static async count(filter) {
            return collectionOf(this.collection).countDocuments(filter);
        }

        /** @param {Document} [values] */
        constructor(values = {}) {
            /** @type {Document} */
            this.values = {};
            this.populate(values);
        }

        /** @param {Document} values */
        populate(values) {
            const known = /** @type {typeof Model} */ (this.constructor).properties;
            for (const [name, value] of Object.entries(values ?? {})) {
                if (name === '_id' || known.includes(name)) {
                    this.values[name] = value;
                }
            }
            return this;
        }

        getId() {
            return this.values[/** @type {typeof Model} */ (this.constructor).idProperty];
        }

        async save() {
            const { collection, idProperty } = /** @type {typeof Model} */ (this.constructor);
            this.values[idProperty] ??= randomBytes(12).toString('hex');
            const { _id: id, ...values } = this.values;
            const { upsertedId } = await collectionOf(collection).updateOne(
                { [idProperty]: this.values[idProperty] }, { $set: values }, { upsert: true });
            this.values._id = id ?? upsertedId ?? this.values[idProperty];
            return this;
        }

        toJson() {
            const { protectedProperties } = /** @type {typeof Model} */ (this.constructor);
            const hidden = new Set(['_id', ...protectedProperties]);
            return Object.fromEntries(Object.entries(this.values).filter(([name]) => !hidden.has(name)));
        }

        toJSON() {
            return this.toJson();
        }
    };
}

/** @param {string} name */
function accessors(name) {
    return {
        /** @this {any} */
        get() {
            return this.values[name];
        },
        /** @this {any} @param {any} value */
        set(value) {
            this.values[name] = value;
            return this;
        }
    };
}
