export { type Catalogue, type CatalogueModel } from './catalogue.js';
export { loadCatalogue } from './catalogue.flow.js';
export { laneKinds, type Lane, type LaneCost, type LaneKind, type LaneOffer, type LaneTimeouts } from './lane.js';
export { parseLanesFile, type LanesFileProblem } from './lanes-file.js';
export { setLaneDrain, type LaneDrain } from './lane-drain.flow.js';
export { defaultModelSettings, listPriceBook, modelIdPattern, type Listing, type ListingOrigin, type ModelTerms } from './listing.js';
export { applyLanesFile, applyListings, ensureListPriceBook, findKeyProblemsInFile, findMissingModels, listPriceBooks, planLanesFile, readListedModels, readModelIdsOfFile, type DatedStep } from './listing.flow.js';
export { describeKeyProblem, findKeyProblems, vendorKeyProblem, type KeyedLane, type LaneKeyProblem } from './vendor-key.js';
