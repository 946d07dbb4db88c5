/**
 * The directory with package.json and prisma/. It is one level above this file, and one above the bundle: every file of dist is
 * directly in it. So only this file asks where it is.
 */
export const PACKAGE_ROOT = new URL('../', import.meta.url);
