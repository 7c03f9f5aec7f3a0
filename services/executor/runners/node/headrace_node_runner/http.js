/**
 * `context.httpRequest`: called and answered as axios is, over Node's own http and https. Where requests may go is decided
 * below, at the sockets.
 */

import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';

import { current } from './output.js';

const LONGEST_ANSWER = 64 * 1024 * 1024;
const LONGEST_ERROR = 1024 * 1024;
const MOST_REDIRECTS = 5;
const PATIENCE_MS = 300_000;
const BODILESS = new Set(['get', 'head', 'delete', 'options']);
const METHODS = ['get', 'delete', 'head', 'options', 'post', 'put', 'patch'];
const SECRET_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

/** To which ports requests may go; other protocols than HTTP have ports of their own. */
export const rules = { checkPort: (/** @type {number} */ _port) => {} };

/** An error as axios has it. */
export class AxiosError extends Error {
    /** @param {string} message @param {string} code @param {any} config @param {any} request @param {any} response */
    constructor(message, code, config, request, response) {
        super(message);
        this.name = 'AxiosError';
        this.isAxiosError = true;
        this.code = code;
        this.config = config;
        this.request = request;
        this.response = response;
        this.status = response?.status;
    }

    toJSON() {
        return { message: this.message, name: this.name, code: this.code, status: this.status ?? null };
    }
}

/** Headers by names in any case, as a plain object of lower-case ones. */
class Headers {
    /** @param {...any} given later ones win; null takes a header away */
    constructor(...given) {
        for (const each of given) {
            const entries = typeof each?.entries === 'function' ? [...each.entries()] : Object.entries(each ?? {});
            for (const [name, value] of entries) {
                this.set(name, value);
            }
        }
    }

    /** @param {string} name @param {any} value */
    set(name, value) {
        const own = /** @type {any} */ (this);
        if (value === undefined || value === null || value === false) {
            delete own[name.toLowerCase()];
        } else {
            own[name.toLowerCase()] = Array.isArray(value) ? value.map(String) : String(value);
        }
        return this;
    }

    /** @param {string} name */
    get(name) {
        return /** @type {any} */ (this)[name.toLowerCase()];
    }

    /** @param {string} name */
    has(name) {
        return this.get(name) !== undefined;
    }

    toJSON() {
        return { ...this };
    }
}

/** @param {Record<string, any>} [defaults] @returns {any} a function to call with a config, with a method for each verb */
export function client(defaults = {}) {
    const interceptors = { request: new Chain(), response: new Chain() };
    /** @param {any} first @param {any} [second] */
    const request = (first, second) => {
        const given = typeof first === 'string' ? { ...second, url: first } : first ?? {};
        const config = merged(made.defaults, given);
        let flow = Promise.resolve(config);
        interceptors.request.handlers.slice().reverse().forEach(([taken, refused]) => {
            flow = flow.then(taken, refused);
        });
        /** @type {Promise<any>} */
        let answered = flow.then(send);
        interceptors.response.handlers.forEach(([taken, refused]) => {
            answered = answered.then(taken, refused);
        });
        return answered;
    };
    const made = /** @type {any} */ (request);
    made.defaults = { ...defaults, headers: { common: {}, ...defaults.headers } };
    made.interceptors = interceptors;
    made.request = request;
    made.create = (/** @type {any} */ more) => client(merged(made.defaults, more ?? {}));
    made.getUri = (/** @type {any} */ config) => addressOf(merged(made.defaults, config));
    made.isAxiosError = (/** @type {any} */ error) => error?.isAxiosError === true;
    made.isCancel = (/** @type {any} */ error) => error?.code === 'ERR_CANCELED';
    made.AxiosError = AxiosError;
    made.default = made;
    for (const method of METHODS) {
        made[method] = BODILESS.has(method)
            ? (/** @type {string} */ url, /** @type {any} */ config) => request({ ...config, url, method })
            : (/** @type {string} */ url, /** @type {any} */ data, /** @type {any} */ config) =>
                request({ ...config, url, data, method });
    }
    for (const method of ['post', 'put', 'patch']) {
        made[`${method}Form`] = (/** @type {string} */ url, /** @type {any} */ data, /** @type {any} */ config) =>
            request({
                ...config, url, data, method, headers: { ...config?.headers, 'content-type': 'multipart/form-data' }
            });
    }
    return made;
}

class Chain {
    constructor() {
        /** @type {[any, any][]} */
        this.handlers = [];
    }

    /** @param {any} taken @param {any} refused */
    use(taken, refused) {
        return this.handlers.push([taken, refused]) - 1;
    }

    /** @param {number} number */
    eject(number) {
        this.handlers[number] = [undefined, undefined];
    }

    clear() {
        this.handlers = [];
    }
}

/** @param {any} config */
async function send(config) {
    const headers = headersOf(config);
    const body = await bodyOf(config, headers);
    const auth = config.auth;
    if (auth) {
        headers.set('authorization', `Basic ${Buffer.from(`${auth.username ?? ''}:${auth.password ?? ''}`).toString('base64')}`);
    }
    if (!headers.has('accept')) {
        headers.set('accept', 'application/json, text/plain, */*');
    }
    if (!headers.has('user-agent')) {
        headers.set('user-agent', 'headrace');
    }
    if (!headers.has('accept-encoding') && config.decompress !== false) {
        headers.set('accept-encoding', 'gzip, deflate, br');
    }
    const most = config.maxRedirects ?? MOST_REDIRECTS;
    let step = { url: addressOf(config), method: config.method.toUpperCase(), body, headers };
    for (let redirects = 0; ; redirects += 1) {
        const { request, answer } = await exchange(config, step);
        const location = answer.headers.location;
        const status = answer.statusCode ?? 0;
        if (!location || ![301, 302, 303, 307, 308].includes(status) || most === 0) {
            return settled(config, step, request, answer);
        }
        answer.resume();
        if (redirects >= most) {
            throw new AxiosError(`More than ${most} redirects.`, 'ERR_FR_TOO_MANY_REDIRECTS', config, request, undefined);
        }
        step = redirected(config, step, status, location);
    }
}

/** @param {any} config @param {any} step @param {number} status @param {string} location */
function redirected(config, step, status, location) {
    const url = new URL(location, step.url);
    const headers = new Headers(step.headers);
    const before = new URL(step.url);
    if (before.host !== url.host || (before.protocol === 'https:' && url.protocol === 'http:')) {
        SECRET_HEADERS.forEach((each) => headers.set(each, null));
    }
    const becomesGet = status === 303 || (status < 303 && step.method === 'POST');
    if (becomesGet && step.method !== 'HEAD') {
        ['content-type', 'content-length', 'content-encoding'].forEach((each) => headers.set(each, null));
        return { url: url.href, method: 'GET', body: undefined, headers };
    }
    if (step.body instanceof Readable) {
        throw new AxiosError('A stream cannot be sent again after a redirect.', 'ERR_BAD_REQUEST', config, undefined, undefined);
    }
    return { ...step, url: url.href, headers };
}

/**
 * One request and the head of its answer.
 * @param {any} config @param {any} step @returns {Promise<{request: http.ClientRequest, answer: http.IncomingMessage}>}
 */
function exchange(config, step) {
    return new Promise((resolve, reject) => {
        let url;
        try {
            url = new URL(step.url);
        } catch {
            reject(new AxiosError(`Invalid URL: ${step.url}`, 'ERR_INVALID_URL', config, undefined, undefined));
            return;
        }
        if (url.protocol !== 'http:' && url.protocol !== 'https:') {
            reject(new AxiosError(`Unsupported protocol ${url.protocol}`, 'ERR_BAD_REQUEST', config, undefined, undefined));
            return;
        }
        const isTls = url.protocol === 'https:';
        try {
            rules.checkPort(Number(url.port) || (isTls ? 443 : 80));
        } catch (error) {
            reject(error);
            return;
        }
        const signals = [config.signal, current.getStore()?.signal].filter(Boolean);
        const request = (isTls ? https : http).request(url, {
            method: step.method,
            headers: { ...step.headers },
            agent: (isTls ? config.httpsAgent : config.httpAgent) ?? undefined,
            maxHeaderSize: 64 * 1024
        });
        /** @param {string} message @param {string} code */
        const give = (message, code) => {
            const error = new AxiosError(message, code, config, request, undefined);
            request.destroy(error);
            reject(error);
        };
        const aborted = () => give('canceled', 'ERR_CANCELED');
        signals.forEach((each) => (each.aborted ? aborted() : each.addEventListener('abort', aborted, { once: true })));
        const patience = Number(config.timeout) > 0 ? Number(config.timeout) : PATIENCE_MS;
        const late = setTimeout(
            () => give(config.timeoutErrorMessage || `timeout of ${patience}ms exceeded`, 'ECONNABORTED'),
            patience
        );
        const over = () => {
            clearTimeout(late);
            signals.forEach((each) => each.removeEventListener('abort', aborted));
        };
        request.on('error', (/** @type {any} */ error) => {
            over();
            if (error instanceof AxiosError || error.name === 'CancelError') {
                reject(error);
            } else {
                reject(new AxiosError(error.message || error.code, error.code ?? 'ERR_NETWORK', config, request, undefined));
            }
        });
        request.on('response', (answer) => {
            answer.on('close', over);
            resolve({ request, answer });
        });
        if (step.body instanceof Readable) {
            step.body.on('error', (/** @type {Error} */ error) => request.destroy(error));
            step.body.pipe(request);
        } else {
            request.end(step.body);
        }
    });
}

/** @param {any} config @param {any} step @param {http.ClientRequest} request @param {http.IncomingMessage} answer */
async function settled(config, step, request, answer) {
    const status = answer.statusCode ?? 0;
    const content = unpacked(config, step, answer);
    const headers = new Headers(answer.headers);
    if (content !== answer) {
        headers.set('content-encoding', null);
    }
    /** @type {any} */
    const response = { status, statusText: answer.statusMessage ?? '', headers, config, request, data: content };
    /** @type {any} */ (request).res = Object.assign(answer, { responseUrl: step.url });
    const isFine = typeof config.validateStatus === 'function'
        ? config.validateStatus(status)
        : config.validateStatus === null || (status >= 200 && status < 300);
    if (config.responseType === 'stream') {
        if (isFine) {
            return response;
        }
        response.data = await read(content, LONGEST_ERROR, config, request).then((data) => Readable.from([data]));
    } else {
        const most = config.maxContentLength > 0 ? Math.min(config.maxContentLength, LONGEST_ANSWER) : LONGEST_ANSWER;
        response.data = decoded(config, headers, await read(content, most, config, request));
    }
    if (isFine) {
        return response;
    }
    const code = status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE';
    throw new AxiosError(`Request failed with status code ${status}`, code, config, request, response);
}

/** @param {any} config @param {any} step @param {http.IncomingMessage} answer @returns {Readable} */
function unpacked(config, step, answer) {
    const isEmpty = step.method === 'HEAD' || answer.statusCode === 204 || answer.statusCode === 304;
    if (config.decompress === false || isEmpty) {
        return answer;
    }
    const packer = {
        gzip: zlib.createGunzip, 'x-gzip': zlib.createGunzip, deflate: zlib.createInflate, br: zlib.createBrotliDecompress
    }[String(answer.headers['content-encoding']).toLowerCase()];
    if (packer === undefined) {
        return answer;
    }
    const unpacking = packer();
    answer.on('error', (error) => unpacking.destroy(error));
    return answer.pipe(unpacking);
}

/** @param {Readable} stream @param {number} most @param {any} config @param {http.ClientRequest} request */
async function read(stream, most, config, request) {
    /** @type {Buffer[]} */
    const chunks = [];
    let size = 0;
    try {
        for await (const chunk of stream) {
            size += chunk.length;
            if (size > most) {
                throw new AxiosError(`maxContentLength size of ${most} exceeded`, 'ERR_BAD_RESPONSE', config, request, undefined);
            }
            chunks.push(chunk);
        }
    } catch (error) {
        if (error instanceof AxiosError) {
            throw error;
        }
        const { message, code } = /** @type {any} */ (error);
        throw new AxiosError(message || 'aborted', code ?? 'ECONNRESET', config, request, undefined);
    }
    return Buffer.concat(chunks);
}

/** @param {any} config @param {Headers} headers @param {Buffer} content */
function decoded(config, headers, content) {
    const transforms = [config.transformResponse].flat().filter(Boolean);
    if (config.responseType === 'arraybuffer') {
        return transforms.reduce((data, each) => each.call(config, data, headers), /** @type {any} */ (content));
    }
    if (config.responseType === 'blob') {
        return new Blob([new Uint8Array(content)], { type: headers.get('content-type') });
    }
    const text = content.toString(config.responseEncoding === 'binary' ? 'latin1' : config.responseEncoding ?? 'utf8');
    if (transforms.length) {
        return transforms.reduce((data, each) => each.call(config, data, headers), /** @type {any} */ (text));
    }
    if (config.responseType === 'text' || text === '') {
        return text;
    }
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

/** @param {any} config */
function headersOf(config) {
    const given = config.headers ?? {};
    const isPlain = typeof given.entries !== 'function';
    const { common, get, post, put, patch, head, delete: remove, ...own } = isPlain ? given : Object.fromEntries(given.entries());
    const byMethod = { get, post, put, patch, head, delete: remove }[/** @type {string} */ (config.method)];
    return new Headers(objectOf(common), objectOf(byMethod), own);
}

/** @param {any} value */
function objectOf(value) {
    return value && typeof value === 'object' ? value : {};
}

/** @param {any} config @param {Headers} headers @returns {Promise<Buffer | Readable | undefined>} */
async function bodyOf(config, headers) {
    let data = config.data;
    for (const each of [config.transformRequest].flat().filter(Boolean)) {
        data = each.call(config, data, headers);
    }
    if (data === undefined || data === null) {
        if (BODILESS.has(config.method)) {
            headers.set('content-type', null);
        }
        return undefined;
    }
    const kind = headers.get('content-type') ?? '';
    if (typeof data.getHeaders === 'function') { // of the package form-data
        Object.entries(data.getHeaders()).forEach(([name, value]) => headers.set(name, value));
        return typeof data.pipe === 'function' ? readable(data) : data;
    }
    if (data instanceof FormData || (kind.startsWith('multipart/form-data') && isPlainObject(data))) {
        const packed = new Response(data instanceof FormData ? data : formOf(data));
        headers.set('content-type', packed.headers.get('content-type'));
        return sized(Buffer.from(await packed.arrayBuffer()), headers);
    }
    if (typeof data.pipe === 'function') {
        return readable(data);
    }
    if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
        return sized(bytesOf(data), headers);
    }
    if (data instanceof URLSearchParams) {
        return sized(typed(data.toString(), 'application/x-www-form-urlencoded;charset=utf-8', headers), headers);
    }
    if (typeof data === 'object' && kind.startsWith('application/x-www-form-urlencoded')) {
        return sized(Buffer.from(queryOf(data)), headers);
    }
    if (typeof data === 'string' && !kind.startsWith('application/json')) {
        return sized(typed(data, 'application/x-www-form-urlencoded', headers), headers);
    }
    return sized(typed(typeof data === 'string' ? data : JSON.stringify(data), 'application/json', headers), headers);
}

/** @param {string} text @param {string} kind @param {Headers} headers */
function typed(text, kind, headers) {
    if (!headers.has('content-type')) {
        headers.set('content-type', kind);
    }
    return Buffer.from(text);
}

/** @param {Buffer} content @param {Headers} headers */
function sized(content, headers) {
    headers.set('content-length', content.length);
    return content;
}

/** The bytes of a buffer, or those that a view shows of one. @param {ArrayBuffer | ArrayBufferView} data */
export function bytesOf(data) {
    if (Buffer.isBuffer(data)) {
        return data;
    }
    return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

/** @param {any} stream of any age */
function readable(stream) {
    return stream instanceof Readable ? stream : new Readable().wrap(stream);
}

/** @param {any} value */
function isPlainObject(value) {
    return Object.prototype.toString.call(value) === '[object Object]';
}

/** @param {Record<string, any>} fields */
function formOf(fields) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) {
        for (const each of [value].flat()) {
            const content = Buffer.isBuffer(each) ? new Blob([new Uint8Array(each)]) : each;
            form.append(name, content instanceof Blob || typeof content === 'string' ? content : JSON.stringify(content));
        }
    }
    return form;
}

/** @param {any} config */
function addressOf(config) {
    const path = String(config.url ?? '');
    const isWhole = /^[a-z][a-z\d+.-]*:\/\//i.test(path) || !config.baseURL;
    const url = isWhole ? path : `${String(config.baseURL).replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`.replace(/\/$/, path ? '$&' : '');
    const query = writtenParams(config);
    if (!query) {
        return url;
    }
    const bare = url.split('#')[0];
    return `${bare}${bare.includes('?') ? '&' : '?'}${query}`;
}

/** @param {any} config */
function writtenParams({ params, paramsSerializer }) {
    if (!params) {
        return '';
    }
    const own = typeof paramsSerializer === 'function' ? paramsSerializer : paramsSerializer?.serialize;
    if (own) {
        return own(params, paramsSerializer);
    }
    return params instanceof URLSearchParams ? params.toString() : queryOf(params, paramsSerializer?.indexes);
}

/** Names and values as axios writes them: lists as `a[]`, objects as `a[b]`. @param {any} fields @param {any} [indexes] */
function queryOf(fields, indexes = false) {
    /** @type {string[]} */
    const parts = [];
    /** @param {string} name @param {any} value */
    const add = (name, value) => {
        if (value === undefined || value === null) {
            return;
        }
        if (Array.isArray(value)) {
            value.forEach((each, place) => add(indexes === null ? name : `${name}[${indexes ? place : ''}]`, each));
        } else if (value instanceof Date) {
            parts.push(`${escaped(name)}=${escaped(value.toISOString())}`);
        } else if (typeof value === 'object') {
            Object.entries(value).forEach(([key, each]) => add(`${name}[${key}]`, each));
        } else {
            parts.push(`${escaped(name)}=${escaped(String(value))}`);
        }
    };
    Object.entries(fields).forEach(([name, value]) => add(name, value));
    return parts.join('&');
}

/** @param {string} text */
function escaped(text) {
    return encodeURIComponent(text).replace(/%3A/gi, ':').replace(/%24/g, '$').replace(/%2C/gi, ',').replace(/%20/g, '+')
        .replace(/%5B/gi, '[').replace(/%5D/gi, ']');
}

/** @param {any} defaults @param {any} given */
function merged(defaults, given) {
    const headers = { ...defaults.headers, ...plainHeaders(given.headers) };
    const params = given.params ?? defaults.params;
    return { ...defaults, ...given, headers, params, method: String(given.method ?? defaults.method ?? 'get').toLowerCase() };
}

/** @param {any} headers */
function plainHeaders(headers) {
    return typeof headers?.entries === 'function' ? Object.fromEntries(headers.entries()) : headers;
}
