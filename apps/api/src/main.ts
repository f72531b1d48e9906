import { runApp } from '@kilotoken/platform/process';
import { apiApp } from './app.js';

await runApp(apiApp);
