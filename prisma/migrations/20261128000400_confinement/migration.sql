-- AlterTable: null is any, an empty list none
ALTER TABLE "users" ADD COLUMN     "customers" INTEGER[],
ADD COLUMN     "machines" TEXT[];
