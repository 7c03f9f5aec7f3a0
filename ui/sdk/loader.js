/* For plain script tags: `const Headrace = await HeadraceLoader.load()`, then as from the module. */
(function () {
  'use strict';
  var here = document.currentScript && document.currentScript.src;
  var loading;
  window.HeadraceLoader = {
    load: function () {
      loading = loading || import(new URL('headrace.mjs', here || location.href).href).then(function (module) {
        window.Headrace = module.Headrace;
        return module.Headrace;
      });
      return loading;
    },
  };
})();
