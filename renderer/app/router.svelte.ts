// The page that is shown now.

import { hrefOf, parseRoute, type Route } from './routes.ts';

class Router {
  route = $state.raw<Route>(parseRoute(typeof location === 'undefined' ? '' : location.hash));

  listen(): () => void {
    const changed = (): void => {
      this.route = parseRoute(location.hash);
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }

  go(route: Route, options: { readonly replace?: boolean } = {}): void {
    const href = hrefOf(route);
    if (options.replace === true) history.replaceState(null, '', href);
    else if (location.hash !== href) history.pushState(null, '', href);
    this.route = route;
  }
}

export const router = new Router();
