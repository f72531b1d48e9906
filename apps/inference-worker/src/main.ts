import { runApp } from '@kilotoken/platform';
import { workerApp } from './app.js';

await runApp(workerApp);
