/** Modules of an unpacked bundle, loaded as CommonJS from where they lie, each once. */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { CancelError } from './failures.js';

const VERBS = ['receive', 'tick', 'start', 'stop', 'reconcile', 'signal', 'test'];

export class Bundle {
    /** @param {string} folder */
    constructor(folder) {
        this.folder = fs.realpathSync(folder);
        this.require = createRequire(path.join(this.folder, 'bundle.js'));
        /** @type {Map<string, any>} */
        this.manifests = new Map();
        /** @type {Map<string, string>} */
        this.sources = new Map();
    }

    /** The component in the folder `root`. Throws what its module throws. @param {string} root */
    component(root) {
        return this.exported(this.file(root, `${path.posix.basename(root)}.js`), `The behaviour of ${root}`);
    }

    /** @param {string} root @returns {Record<string, any>} */
    manifest(root) {
        let found = this.manifests.get(root);
        if (found === undefined) {
            found = JSON.parse(fs.readFileSync(this.file(root, 'component.json'), 'utf8').replace(/^\uFEFF/, ''));
            this.manifests.set(root, found);
        }
        return found;
    }

    /** What a module of the bundle exports. @param {string} file @param {string} what @returns {any} */
    exported(file, what) {
        const found = this.require(file);
        const own = found?.__esModule && found.default ? found.default : found;
        if (own === null || (typeof own !== 'object' && typeof own !== 'function')) {
            throw new CancelError(`${what} exports ${own === null ? 'null' : typeof own} instead of an object.`);
        }
        return own;
    }

    /** The module of a service or module folder, such as its auth.js. @param {string} folder @param {string} name */
    module(folder, name) {
        return this.exported(this.file(folder, name), `${folder}/${name}`);
    }

    /** A package as a module in that folder finds it. @param {string} folder @param {string} name */
    requireFrom(folder, name) {
        return createRequire(path.join(this.folder, folder, 'plugin.js'))(name);
    }

    /** @param {string} folder @param {string} name */
    has(folder, name) {
        return fs.existsSync(this.inside(path.join(this.folder, folder, name)));
    }

    /**
     * A function that a `transform` names: of the component's own file, or of a file beside it as `./file#function`.
     * @param {string} root @param {string} name @returns {(value: any) => any}
     */
    transform(root, name) {
        const [file, wanted] = name.includes('#') ? name.split('#', 2) : ['', name];
        const own = file === '' ? this.component(root) : this.exported(this.beside(root, file), `The transform ${name}`);
        const found = own[wanted];
        if (typeof found !== 'function') {
            throw new CancelError(`${root} has no transform ${name}.`);
        }
        return found.bind(own);
    }

    /** The verbs that a component has something to do at. @param {string} root */
    verbs(root) {
        const own = this.component(root);
        return VERBS.filter((verb) => typeof own[verb] === 'function');
    }

    /** @param {string} root */
    transforms(root) {
        const own = this.component(root);
        return Object.keys(own).filter((name) => typeof own[name] === 'function' && !VERBS.includes(name));
    }

    /** The text of a component and of all modules of the bundle that it loads, their packages left out. @param {string} root */
    source(root) {
        let found = this.sources.get(root);
        if (found === undefined) {
            this.component(root);
            const seen = new Set();
            /** @param {string} file */
            const visit = (file) => {
                const module = this.require.cache[file];
                if (seen.has(file) || !module || !this.isOwn(file)) {
                    return;
                }
                seen.add(file);
                module.children.forEach((each) => visit(each.filename));
            };
            visit(this.require.resolve(this.file(root, `${path.posix.basename(root)}.js`)));
            found = [...seen].map((file) => fs.readFileSync(file, 'utf8')).join('\n');
            this.sources.set(root, found);
        }
        return found;
    }

    /** @param {string} file */
    isOwn(file) {
        return file.endsWith('.js') && !path.relative(this.folder, file).split(path.sep).includes('node_modules');
    }

    /** @param {string} root @param {string} name @returns {string} */
    file(root, name) {
        const file = this.inside(path.join(this.folder, root, name));
        if (!fs.existsSync(file)) {
            throw new CancelError(`There is no ${root}/${name} in the bundle.`);
        }
        return file;
    }

    /** @param {string} root @param {string} named */
    beside(root, named) {
        const file = this.inside(path.resolve(this.folder, root, named));
        return [file, `${file}.js`].find((each) => fs.existsSync(each) && fs.statSync(each).isFile()) ?? file;
    }

    /** @param {string} file */
    inside(file) {
        if (!path.resolve(file).startsWith(this.folder + path.sep)) {
            throw new CancelError('A bundle has no files outside of itself.');
        }
        return path.resolve(file);
    }
}
