/*
 * The session in a cookie of the site, for what the site's own server renders.
 */

const YEAR = 31536000; // seconds

S.hooks.keep = ({ session }) => {
  document.cookie =
    'skvoz_session=' + (session || '') + ';path=/;samesite=lax;max-age=' + (session ? YEAR : 0);
};
