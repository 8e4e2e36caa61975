// A page's own code, as an app would write it; the tests drive the page through `window.models`.
import * as models from "./dist/models.js";

window.models = models;
