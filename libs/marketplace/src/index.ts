export { pastPricesMs, priceKey, type Catalogue, type CatalogueModel } from './catalogue.js';
export { loadCatalogue } from './catalogue.service.js';
export { loadPriceVersion } from './catalogue.store.js';
export { laneKinds, type Lane, type LaneCost, type LaneKind, type LaneTimeouts } from './lane.js';
