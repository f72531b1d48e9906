import { reportReady } from './child.js';
import { problemWith, requestBody } from './exchange.js';
import { runLoad, type LoadRequest } from './load-loop.js';
import { loadOrder, type LoadOrder, type LoadResult } from './load-order.js';

/** The client of a gateway or its stand-in. */
const run = (order: LoadOrder): Promise<LoadResult> => {
  const body = requestBody(order.mode);
  const requests = order.keys.map((key): LoadRequest => ({
    path: '/v1/chat/completions',
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body,
    problemWith: (answer) => problemWith(order.mode, answer),
  }));
  return runLoad(order, (number) => requests[number % requests.length]!);
};

process.on('message', (message) => {
  const order = loadOrder.parse(message);
  void run(order).then((result) => process.send!(result));
});

reportReady({});
