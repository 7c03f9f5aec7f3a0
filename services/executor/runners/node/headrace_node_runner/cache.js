/** `context.staticCache`: values that this process remembers for a while. A cache: it may be empty at any time. */

const MOST = 10_000;

export class StaticCache {
    constructor() {
        /** @type {Map<string, {value: any, until: number}>} */
        this.kept = new Map();
    }

    /** @param {string} owner of the values: a flow */
    of(owner) {
        const named = (/** @type {string} */ key) => `${owner}/${key}`;
        return {
            get: async (/** @type {string} */ key) => this.get(named(key)),
            set: async (/** @type {string} */ key, /** @type {any} */ value, /** @type {number} */ ttlMs) => this.set(named(key), value, ttlMs),
            remove: async (/** @type {string} */ key) => {
                this.kept.delete(named(key));
            }
        };
    }

    /** @param {string} key */
    get(key) {
        const found = this.kept.get(key);
        if (found === undefined || found.until < Date.now()) {
            this.kept.delete(key);
            return null;
        }
        return structuredClone(found.value);
    }

    /** @param {string} key @param {any} value @param {number} [ttlMs] */
    set(key, value, ttlMs) {
        this.kept.delete(key);
        this.kept.set(key, { value: structuredClone(value), until: ttlMs ? Date.now() + Number(ttlMs) : Infinity });
        if (this.kept.size > MOST) {
            this.kept.delete(/** @type {string} */ (this.kept.keys().next().value));
        }
        return value;
    }
}
