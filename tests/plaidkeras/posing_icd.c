/* An OpenCL driver that is pocl, whose devices, processors, say that they are GPUs.

   POSING_VENDOR and POSING_NAME in the environment are the vendor and the name they give. PlaidML
   takes no device of the type CPU, and chooses how to compile by vendor and name. A loader finds a
   driver's functions in a table that each of its objects begins with: two entries of pocl's are
   replaced.

       gcc -shared -fPIC -o libposing.so posing_icd.c -ldl */

#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl_icd.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static cl_icd_dispatch pocl;  /* the table as it was */

static cl_int CL_API_CALL device_ids(cl_platform_id platform, cl_device_type type, cl_uint room,
                                     cl_device_id *devices, cl_uint *count) {
  return pocl.clGetDeviceIDs(platform, type & CL_DEVICE_TYPE_GPU ? CL_DEVICE_TYPE_ALL : type, room,
                             devices, count);
}

static cl_int CL_API_CALL device_info(cl_device_id device, cl_device_info key, size_t room,
                                      void *value, size_t *size) {
  cl_device_type gpu = CL_DEVICE_TYPE_GPU;
  const void *answer = key == CL_DEVICE_TYPE ? (void *)&gpu : key == CL_DEVICE_VENDOR
      ? getenv("POSING_VENDOR") : key == CL_DEVICE_NAME ? getenv("POSING_NAME") : NULL;
  if (!answer) return pocl.clGetDeviceInfo(device, key, room, value, size);
  size_t length = key == CL_DEVICE_TYPE ? sizeof gpu : strlen(answer) + 1;
  if (size) *size = length;
  if (value && room < length) return CL_INVALID_VALUE;
  if (value) memcpy(value, answer, length);
  return CL_SUCCESS;
}

/* A function of pocl's that a loader asks for by name. */
static void *of_pocl(const char *name) {
  void *library = dlopen("libpocl.so.2", RTLD_NOW);
  void *(*find)(const char *) = library ? dlsym(library, "clGetExtensionFunctionAddress") : NULL;
  return find ? find(name) : NULL;
}

cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *platforms, cl_uint *count) {
  cl_int (*get)(cl_uint, cl_platform_id *, cl_uint *) = of_pocl("clIcdGetPlatformIDsKHR");
  cl_platform_id platform;
  if (!get || get(1, &platform, NULL) != CL_SUCCESS) return CL_PLATFORM_NOT_FOUND_KHR;
  cl_icd_dispatch *table = *(cl_icd_dispatch **)platform;
  if (!pocl.clGetDeviceIDs) {
    size_t page = sysconf(_SC_PAGESIZE);
    char *start = (char *)((size_t)table & ~(page - 1));
    if (mprotect(start, (char *)(table + 1) - start, PROT_READ | PROT_WRITE))
      return CL_PLATFORM_NOT_FOUND_KHR;
    pocl = *table;
    table->clGetDeviceIDs = device_ids;
    table->clGetDeviceInfo = device_info;
  }
  return get(room, platforms, count);
}

void *CL_API_CALL clGetExtensionFunctionAddress(const char *name) {
  return strcmp(name, "clIcdGetPlatformIDsKHR") ? of_pocl(name) : (void *)clIcdGetPlatformIDsKHR;
}
