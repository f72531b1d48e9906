export * from './permission.js';
export * from './viewer.js';
