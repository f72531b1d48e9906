export { SeededRandom } from '@kilotoken/tools/seeded-random';
