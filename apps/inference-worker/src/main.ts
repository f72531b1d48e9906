import { runApp } from '@kilotoken/platform/process';
import { workerApp } from './app.js';

await runApp(workerApp);
